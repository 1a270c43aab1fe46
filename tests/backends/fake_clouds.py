#!/usr/bin/env python3
"""Local stand-ins for GCP KMS (gRPC + REST), Azure Key Vault + Entra, Huawei KMS.

Real cryptography, real wire formats, loopback only, state in --dir:
  ca.pem            local CA (hand to clients as SSL_CERT_FILE)
  keys/*            key material, so that a restart still decrypts
  gcp-sa.json       service-account credentials accepted by the fake (GOOGLE_CREDENTIALS)
  env.json          ports and credentials for tests
  requests.log      one JSON line per request seen: service, method, path, status, auth

Clients keep the REAL host names (cloudkms.googleapis.com, X.vault.azure.net,
login.microsoftonline.com, kms.REGION.myhuaweicloud.com) and are pointed here by
HTTPS_PROXY=http://127.0.0.1:PORT plus SSL_CERT_FILE=ca.pem; the CONNECT proxy only
ever dials its own loopback ports and answers 403 for any other host.

  fake_clouds.py --dir D
  Six free ports, named in env.json: proxy_grpc (cloudkms -> gRPC), proxy_rest (cloudkms -> REST),
  https (the services), grpc_tls, grpc_plain, http (the services in plain HTTP).
"""
import argparse, base64, datetime, hashlib, hmac, ipaddress, json, os, re, secrets, select, socket, ssl
import sys, threading, time, urllib.parse
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import jwt
from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from google.cloud.kms_v1.types import service as kms_types

TENANT = '11111111-2222-3333-4444-555555555555'
CLIENT_ID = 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee'
CLIENT_SECRET = 'fake-entra-client-secret'
GCP_TOKEN = 'fake-gcp-oauth-token'
HC_AK, HC_SK, HC_PROJECT = 'HCFAKEACCESSKEY', 'hcfakesecretkey', '0123456789abcdef0123456789abcdef'
HC_TEMPORARY, HC_SESSION, HC_OVER = 'HCFAKETEMPORARYKEY', 'fake-session', 'fake-session-that-is-over'
MSI_HEADER = 'fake-identity-header'
GCP_REFRESH, GCP_SUBJECT, FEDERATED = 'fake-refresh-token', 'fake-subject-token', 'fake.federated.token'
LOCK = threading.Lock()


def b64u(b): return base64.urlsafe_b64encode(b).rstrip(b'=').decode()
def unb64u(s): return base64.urlsafe_b64decode(s + '=' * (-len(s) % 4))


class State:
    def __init__(self, d):
        self.d = d
        os.makedirs(d + '/keys', exist_ok=True)
        self.secret = self.blob('token-secret', lambda: secrets.token_bytes(32))
        self.log_f = open(d + '/requests.log', 'a', buffering=1)

    def blob(self, name, make):
        p = f'{self.d}/keys/{name}'
        with LOCK:
            if not os.path.exists(p):
                with open(p, 'wb') as f: f.write(make())
            with open(p, 'rb') as f: return f.read()

    def aes(self, resource):
        return self.blob('aes-' + hashlib.sha256(resource.encode()).hexdigest()[:24], lambda: secrets.token_bytes(32))

    def rsa(self, name):
        pem = self.blob('rsa-' + re.sub(r'[^A-Za-z0-9._-]', '_', name), lambda: rsa.generate_private_key(65537, 2048).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return serialization.load_pem_private_key(pem, None)

    def log(self, **kw): self.log_f.write(json.dumps(kw) + '\n')

    def mint(self, aud, sub, lasts=3600):
        return jwt.encode({'aud': aud, 'sub': sub, 'iss': 'fake', 'iat': int(time.time()) - 7200, 'exp': int(time.time()) + lasts},
                          self.secret, algorithm='HS256')

    def check(self, token, aud):
        try:
            jwt.decode(token, self.secret, algorithms=['HS256'], audience=aud)
            return True
        except jwt.PyJWTError:
            return False


S = None  # State


# ---------------------------------------------------------------- certificates
def make_certs(d):
    ca_p, leaf_p = d + '/ca.pem', d + '/leaf.pem'
    if os.path.exists(leaf_p): return
    now = datetime.datetime.now(datetime.timezone.utc)
    def name(cn): return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cn)])
    ck = ec.generate_private_key(ec.SECP256R1())
    ca = (x509.CertificateBuilder().subject_name(name('fake clouds test CA')).issuer_name(name('fake clouds test CA'))
          .public_key(ck.public_key()).serial_number(x509.random_serial_number())
          .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=3650))
          .add_extension(x509.BasicConstraints(True, None), True)
          .add_extension(x509.KeyUsage(True, False, False, False, False, True, True, False, False), True)
          .add_extension(x509.SubjectKeyIdentifier.from_public_key(ck.public_key()), False).sign(ck, hashes.SHA256()))
    lk = ec.generate_private_key(ec.SECP256R1())
    hosts = ['localhost', '*.localhost', 'cloudkms.googleapis.com', 'oauth2.googleapis.com', '*.googleapis.com',
             '*.vault.azure.net', 'login.microsoftonline.com', 'login.microsoft.com', 'login.windows.net',
             '*.cn-north-4.myhuaweicloud.com', '*.tr-west-1.myhuaweicloud.com', '*.eu-west-101.myhuaweicloud.eu',
             '*.us-east-1.amazonaws.com', '*.s3.us-east-1.amazonaws.com', 'vault.test']
    leaf = (x509.CertificateBuilder().subject_name(name('fake clouds')).issuer_name(ca.subject)
            .public_key(lk.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=3650))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(h) for h in hosts]
                           + [x509.IPAddress(ipaddress.ip_address('127.0.0.1'))]), False)
            .add_extension(x509.BasicConstraints(False, None), True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ck.public_key()), False)
            .sign(ck, hashes.SHA256()))
    open(ca_p, 'wb').write(ca.public_bytes(serialization.Encoding.PEM))
    open(d + '/leaf.key', 'wb').write(lk.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    open(leaf_p, 'wb').write(leaf.public_bytes(serialization.Encoding.PEM) + ca.public_bytes(serialization.Encoding.PEM))


def make_app(d):
    """The certificate of an application at Entra, with its key."""
    path = d + '/app.pem'
    if os.path.exists(path): return
    now = datetime.datetime.now(datetime.timezone.utc)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, 'app')])
    key = rsa.generate_private_key(65537, 2048)
    cert = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=3650)).sign(key, hashes.SHA256()))
    open(path, 'wb').write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
                           + cert.public_bytes(serialization.Encoding.PEM))


def app_signed(assertion, host, tenant):
    """Whether the application's certificate signed who it is, for this tenant."""
    cert = x509.load_pem_x509_certificate(open(S.d + '/app.pem', 'rb').read())
    try:
        head = jwt.get_unverified_header(assertion)
        claims = jwt.decode(assertion, cert.public_key(), algorithms=['RS256', 'PS256'], audience=f'{host}/{tenant}/oauth2/v2.0/token')
        return head.get('x5t#S256') == b64u(cert.fingerprint(hashes.SHA256())) and claims['iss'] == claims['sub'] == CLIENT_ID
    except (jwt.PyJWTError, KeyError):
        return False


# ---------------------------------------------------------------- GCP KMS
CRYPTOKEY = re.compile(r'^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/([^/]+)(/cryptoKeyVersions/\d+)?$')

class KmsError(Exception):
    def __init__(self, code, msg): self.code, self.msg = code, msg

def crc32c(data):
    crc = 0xffffffff
    for b in data:
        crc ^= b
        for _ in range(8): crc = (crc >> 1) ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff

def gcp_auth(header, uri):
    """Bearer: the static token, a token minted by our /token, or a self-signed service-account JWT."""
    if not header or not header.startswith('Bearer '): return None
    t = header[7:]
    if t == GCP_TOKEN: return 'static'
    if S.check(t, 'gcp'): return 'minted'
    try:
        jwt.decode(t, S.rsa('gcp-sa').public_key(), algorithms=['RS256'], options={'verify_aud': False})
        return 'self-signed-jwt'
    except jwt.PyJWTError:
        return None

def gcp_encrypt(req):
    m = CRYPTOKEY.match(req.name)
    if not m: raise KmsError('INVALID_ARGUMENT', 'bad resource name ' + req.name)
    if m.group(1).startswith('missing'): raise KmsError('NOT_FOUND', f'CryptoKey {req.name} not found.')
    if m.group(1).startswith('denied'): raise KmsError('PERMISSION_DENIED', f"Permission 'cloudkms.cryptoKeyVersions.useToEncrypt' denied on resource '{req.name}'")
    base = req.name.split('/cryptoKeyVersions/')[0]
    n = secrets.token_bytes(12)
    ct = b'\x0a\x24\x00' + n + AESGCM(S.aes(base)).encrypt(n, bytes(req.plaintext), bytes(req.additional_authenticated_data))
    return kms_types.EncryptResponse(name=base + '/cryptoKeyVersions/1', ciphertext=ct, ciphertext_crc32c=crc32c(ct),
                                     verified_plaintext_crc32c='plaintext_crc32c' in req, protection_level=1)

def gcp_decrypt(req):
    m = CRYPTOKEY.match(req.name)
    if not m or m.group(2): raise KmsError('INVALID_ARGUMENT', 'bad resource name ' + req.name)
    ct = bytes(req.ciphertext)
    try:
        pt = AESGCM(S.aes(req.name)).decrypt(ct[3:15], ct[15:], bytes(req.additional_authenticated_data))
    except (InvalidTag, ValueError):
        raise KmsError('INVALID_ARGUMENT', 'Decryption failed: verify that \'name\' refers to the correct CryptoKey.')
    return kms_types.DecryptResponse(plaintext=pt, plaintext_crc32c=crc32c(pt), used_primary=True, protection_level=1)

def grpc_handler():
    def wrap(fn, what):
        def call(req, ctx):
            md = dict(ctx.invocation_metadata())
            who = gcp_auth(md.get('authorization'), None)
            S.log(service='gcp-grpc', method=what, path=req.name, auth=who, params=md.get('x-goog-request-params'))
            if not who: ctx.abort(grpc.StatusCode.UNAUTHENTICATED, 'Request had invalid authentication credentials.')
            if not urllib.parse.unquote(md.get('x-goog-request-params', '')) == 'name=' + req.name:
                ctx.abort(grpc.StatusCode.INVALID_ARGUMENT, 'missing x-goog-request-params routing header')
            try: return fn(req)
            except KmsError as e: ctx.abort(getattr(grpc.StatusCode, e.code), e.msg)
        return call
    def mk(fn, what, rq, rs):
        return grpc.unary_unary_rpc_method_handler(wrap(fn, what), request_deserializer=rq.deserialize, response_serializer=rs.serialize)
    return grpc.method_handlers_generic_handler('google.cloud.kms.v1.KeyManagementService', {
        'Encrypt': mk(gcp_encrypt, 'Encrypt', kms_types.EncryptRequest, kms_types.EncryptResponse),
        'Decrypt': mk(gcp_decrypt, 'Decrypt', kms_types.DecryptRequest, kms_types.DecryptResponse)})


# ---------------------------------------------------------------- HTTP services
class Server(ThreadingHTTPServer):
    request_queue_size = 128  # with the usual five, the sixth of many at once waits for a second
    daemon_threads = True

class H(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def log_message(self, *a): pass

    def send(self, code, obj, headers=()):
        body = json.dumps(obj).encode()
        self.send_response(code)
        for k, v in headers: self.send_header(k, v)
        self.send_header('Content-Type', 'application/json; charset=utf-8')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.status = code

    def route(self):
        self.who = None
        n = int(self.headers.get('Content-Length') or 0)
        self.body = self.rfile.read(n) if n else b''
        u = urllib.parse.urlsplit(self.path)
        self.q = urllib.parse.parse_qs(u.query, keep_blank_values=True)
        self.p = u.path
        host = (self.headers.get('Host') or '').lower()
        self.name = host.split(':')[0]
        self.base = 'https://' + host
        try:
            if re.match(r'^/v1/projects/.+:(encrypt|decrypt)$', self.p): svc, fn = 'gcp-rest', self.gcp
            elif self.name.startswith('sts.') or self.p.endswith(':generateAccessToken'): svc, fn = 'gcp-sts', self.gcp_sts
            elif self.name.startswith('oauth2.') or self.p == '/token': svc, fn = 'gcp-token', self.gcp_token
            elif self.name.startswith('login.') or '/oauth2/v2.0/' in self.p or '/.well-known/' in self.p or '/discovery/instance' in self.p: svc, fn = 'entra', self.entra
            elif self.p.startswith('/computeMetadata/v1/'): svc, fn = 'gce-metadata', self.gce
            elif self.p in ('/msi/token', '/metadata/identity/oauth2/token'): svc, fn = 'msi', self.msi
            elif re.match(r'^/v1\.0/[^/]+/kms/', self.p): svc, fn = 'huawei', self.huawei
            elif self.p == '/v3/projects': svc, fn = 'huawei-iam', self.huawei_iam
            elif self.p.startswith('/keys/'): svc, fn = 'azkv', self.azkv
            else: svc, fn = 'none', lambda: self.send(404, {'error': 'no route'})
            fn()
        except Exception as e:  # a fake must never hang its client
            svc = locals().get('svc', '?')
            self.send(500, {'error': repr(e)})
        S.log(service=svc, method=self.command, host=host, path=self.path, status=self.status, auth=self.who,
              ua=self.headers.get('User-Agent'))
    do_GET = do_POST = do_PUT = route

    # --- GCP over REST, with the official message types' JSON mapping
    def gcp(self):
        self.who = gcp_auth(self.headers.get('Authorization'), None)
        if not self.who:
            return self.send(401, {'error': {'code': 401, 'message': 'Request had invalid authentication credentials.', 'status': 'UNAUTHENTICATED'}})
        project = self.headers.get('x-goog-user-project')
        if project == 'used-up':
            return self.send(403, {'error': {'code': 403, 'message': f'Quota exceeded for project {project}.', 'status': 'PERMISSION_DENIED'}})
        name, verb = urllib.parse.unquote(self.p[4:]).rsplit(':', 1)
        rq, fn, rs = ((kms_types.EncryptRequest, gcp_encrypt, kms_types.EncryptResponse) if verb == 'encrypt'
                      else (kms_types.DecryptRequest, gcp_decrypt, kms_types.DecryptResponse))
        req = rq.from_json(self.body or b'{}')
        req.name = name
        try:
            self.send(200, json.loads(rs.to_json(fn(req))))
        except KmsError as e:
            code = {'NOT_FOUND': 404, 'PERMISSION_DENIED': 403}.get(e.code, 400)
            self.send(code, {'error': {'code': code, 'message': e.msg, 'status': e.code}})

    def gcp_token(self):
        f = urllib.parse.parse_qs(self.body.decode())
        if f.get('grant_type') == ['refresh_token'] or self.body.startswith(b'{'):
            given = f.get('refresh_token', [None])[0] if f else json.loads(self.body).get('refresh_token')
            if given != GCP_REFRESH: return self.send(400, {'error': 'invalid_grant', 'error_description': 'Token has been expired or revoked.'})
            return self.send(200, {'access_token': S.mint('gcp', 'user'), 'token_type': 'Bearer', 'expires_in': 3599})
        try:
            claims = jwt.decode(f['assertion'][0], S.rsa('gcp-sa').public_key(), algorithms=['RS256'], options={'verify_aud': False})
        except (KeyError, jwt.PyJWTError) as e:
            return self.send(400, {'error': 'invalid_grant', 'error_description': str(e)})
        self.send(200, {'access_token': S.mint('gcp', claims['iss']), 'token_type': 'Bearer', 'expires_in': 3599})

    # Security token service (workload identity federation), and impersonation of a service account
    def gcp_sts(self):
        if self.p.endswith(':generateAccessToken'):
            if not gcp_auth(self.headers.get('Authorization'), None): return self.send(401, {'error': {'code': 401, 'message': 'who?', 'status': 'UNAUTHENTICATED'}})
            return self.send(200, {'accessToken': S.mint('gcp', 'impersonated'), 'expireTime': '2099-01-01T00:00:00Z'})
        f = urllib.parse.parse_qs(self.body.decode())
        if f.get('subject_token', [''])[0].strip() != GCP_SUBJECT:
            return self.send(400, {'error': 'invalid_grant', 'error_description': 'The subject token is not valid.'})
        self.send(200, {'access_token': S.mint('gcp', 'federated'), 'token_type': 'Bearer', 'expires_in': 3599,
                        'issued_token_type': 'urn:ietf:params:oauth:token-type:access_token'})

    # GCE metadata server (GCE_METADATA_HOST=127.0.0.1:<http port>)
    def gce(self):
        if self.headers.get('Metadata-Flavor') != 'Google': return self.send(403, {'error': 'flavor'})
        tail = self.p[len('/computeMetadata/v1/'):]
        text = {'universe/universe-domain': 'googleapis.com', 'universe/universe_domain': 'googleapis.com', 'project/project-id': 'p',
                'instance/service-accounts/default/email': 'default@p.iam.gserviceaccount.com'}.get(tail)
        if tail.startswith('instance/service-accounts/default/token'):
            return self.send(200, {'access_token': S.mint('gcp', 'gce'), 'expires_in': 3599, 'token_type': 'Bearer'}, [('Metadata-Flavor', 'Google')])
        body = (text or '').encode(); self.status = 200 if text or not tail else 404
        self.send_response(self.status); self.send_header('Metadata-Flavor', 'Google'); self.send_header('Content-Length', str(len(body))); self.end_headers(); self.wfile.write(body)

    # --- Entra: instance discovery, OpenID configuration, client-credentials token
    def entra(self):
        if '/discovery/instance' in self.p:
            return self.send(200, {'tenant_discovery_endpoint': f'{self.base}/{TENANT}/v2.0/.well-known/openid-configuration', 'api-version': '1.1',
                                   'metadata': [{'preferred_network': 'login.microsoftonline.com', 'preferred_cache': 'login.windows.net',
                                                 'aliases': ['login.microsoftonline.com', 'login.windows.net', 'login.microsoft.com', 'sts.windows.net']}]})
        tenant = self.p.strip('/').split('/')[0]
        if self.p.endswith('/.well-known/openid-configuration'):
            return self.send(200, {'token_endpoint': f'{self.base}/{tenant}/oauth2/v2.0/token', 'issuer': f'{self.base}/{tenant}/v2.0',
                                   'authorization_endpoint': f'{self.base}/{tenant}/oauth2/v2.0/authorize', 'jwks_uri': f'{self.base}/keys'})
        f = {k: v[0] for k, v in urllib.parse.parse_qs(self.body.decode()).items()}
        def err(code, e, d): self.send(code, {'error': e, 'error_description': d, 'error_codes': [7000215], 'correlation_id': 'x', 'trace_id': 'x'})
        if tenant != TENANT: return err(400, 'invalid_request', f"AADSTS90002: Tenant '{tenant}' not found.")
        if f.get('grant_type') != 'client_credentials' or f.get('client_id') != CLIENT_ID: return err(400, 'unauthorized_client', 'AADSTS700016: application not found')
        assertion = f.get('client_assertion', '')
        ok = f.get('client_secret') == CLIENT_SECRET or assertion == FEDERATED or app_signed(assertion, self.base, tenant)
        if not ok: return err(401, 'invalid_client', 'AADSTS7000215: Invalid client secret provided.')
        scopes = f.get('scope', '').split()
        aud = next((s[:-len('/.default')] for s in scopes if s.endswith('/.default')), '')
        self.who = 'secret' if f.get('client_secret') else 'assertion'
        self.send(200, {'token_type': 'Bearer', 'expires_in': 3599, 'ext_expires_in': 3599, 'access_token': S.mint(aud, CLIENT_ID)})

    def msi(self):
        # At the address of every machine of Azure, and where the environment names the service.
        ok = self.headers.get('Metadata') == 'true' if self.p.startswith('/metadata/') else self.headers.get('X-IDENTITY-HEADER') == MSI_HEADER
        if not ok: return self.send(401, {'statusCode': 401, 'message': 'bad header'})
        aud = self.q.get('resource', [''])[0]
        self.send(200, {'access_token': S.mint(aud, 'msi'), 'expires_on': str(int(time.time()) + 3600), 'resource': aud, 'token_type': 'Bearer', 'client_id': CLIENT_ID})

    # --- Azure Key Vault data plane: get, encrypt, decrypt, wrapkey, unwrapkey
    def azkv(self):
        vault = self.name
        # an IP-address host works too: the challenge check is only "vault host ends with .RESOURCEHOST"
        host = self.headers['Host'].lower()
        resource = 'https://vault.azure.net' if vault.endswith('.vault.azure.net') else 'https://' + host.split('.', 1)[1] if '.' in host else 'https://' + host
        auth = self.headers.get('Authorization', '')
        if not auth.startswith('Bearer ') or not S.check(auth[7:], resource):
            return self.send(401, {'error': {'code': 'Unauthorized', 'message': 'AKV10000: Request is missing a Bearer or PoP token.'}},
                             [('WWW-Authenticate', f'Bearer authorization="https://login.microsoftonline.com/{TENANT}", resource="{resource}"')])
        self.who = 'token'
        if 'api-version' not in self.q: return self.send(400, {'error': {'code': 'BadParameter', 'message': 'AKV10021: api-version must be specified'}})
        parts = self.p.strip('/').split('/')
        name, rest = parts[1], parts[2:]
        if name.startswith('denied'): return self.send(403, {'error': {'code': 'Forbidden', 'message': 'The user, group or application does not have keys encrypt permission on key vault.', 'innererror': {'code': 'ForbiddenByPolicy'}}})
        if name.startswith('missing'): return self.send(404, {'error': {'code': 'KeyNotFound', 'message': f'A key with (name/id) {name} was not found in this key vault.'}})
        cur = hashlib.md5(name.encode()).hexdigest()
        op = rest.pop() if rest and rest[-1] in ('encrypt', 'decrypt', 'wrapkey', 'unwrapkey') else None
        version = rest[0] if rest and rest[0] else cur
        key = S.rsa(f'azkv-{vault}-{name}-{version}')
        kid = f'{self.base}/keys/{name}/{version}'
        if op is None:
            pub = key.public_key().public_numbers()
            return self.send(200, {'key': {'kid': kid, 'kty': 'RSA', 'key_ops': ['encrypt', 'decrypt', 'wrapKey', 'unwrapKey', 'sign', 'verify'],
                                           'n': b64u(pub.n.to_bytes((pub.n.bit_length() + 7) // 8, 'big')), 'e': b64u(pub.e.to_bytes(3, 'big'))},
                                   'attributes': {'enabled': True, 'created': 1700000000, 'updated': 1700000000, 'recoveryLevel': 'Recoverable'}})
        j = json.loads(self.body)
        h = {'RSA-OAEP-256': hashes.SHA256(), 'RSA-OAEP': hashes.SHA1()}.get(j.get('alg'))
        if h is None: return self.send(400, {'error': {'code': 'BadParameter', 'message': 'AKV10030: unsupported alg'}})
        pad = padding.OAEP(padding.MGF1(h), h, None)
        try:
            v = unb64u(j['value'])
            out = key.public_key().encrypt(v, pad) if op in ('encrypt', 'wrapkey') else key.decrypt(v, pad)
        except ValueError:
            return self.send(400, {'error': {'code': 'BadParameter', 'message': 'The parameter is incorrect.'}})
        self.send(200, {'kid': kid, 'value': b64u(out)})

    # --- Huawei KMS v1.0 encrypt-data / decrypt-data, with SDK-HMAC-SHA256 checked
    # What is wrong with it, in the words of Huawei's gateway; nothing when it is right.
    def hc_wrong(self):
        a = self.headers.get('Authorization', '')
        m = re.match(r'^SDK-HMAC-SHA256 Access=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]+)$', a)
        if not m: return 'verify aksk signature fail'
        token = self.headers.get('X-Security-Token')
        if m.group(1) not in (HC_AK, HC_TEMPORARY) or m.group(1) == HC_TEMPORARY and not token: return f'ak {m.group(1)} not exist'
        signed = m.group(2).split(';')
        path = self.p if self.p.endswith('/') else self.p + '/'
        canon_h = ''.join(f'{h}:{(self.headers.get(h) or "").strip()}\n' for h in signed)
        query = '&'.join(sorted(urllib.parse.urlsplit(self.path).query.split('&')))
        canon = '\n'.join([self.command, path, query, canon_h, ';'.join(signed), hashlib.sha256(self.body).hexdigest()])
        sts = '\n'.join(['SDK-HMAC-SHA256', self.headers.get('X-Sdk-Date', ''), hashlib.sha256(canon.encode()).hexdigest()])
        right = hmac.compare_digest(hmac.new(HC_SK.encode(), sts.encode(), hashlib.sha256).hexdigest(), m.group(3))
        if not right: return 'verify aksk signature fail'
        if m.group(1) == HC_TEMPORARY and token != HC_SESSION: return 'decrypt token fail'

    def huawei_iam(self):
        if self.hc_wrong(): return self.send(401, {'error': {'code': 401, 'message': 'The request you have made requires authentication.'}})
        self.who = 'signed'
        found = [{'id': HC_PROJECT, 'name': self.q['name'][0]}] if self.q.get('name') == ['tr-west-1'] else []
        self.send(200, {'projects': found})

    def huawei(self):
        wrong = self.hc_wrong()
        if wrong: return self.send(401, {'error_msg': f'Incorrect IAM authentication information: {wrong}', 'error_code': 'APIGW.0301', 'request_id': 'x'})
        self.who = 'signed'
        _, project, _, verb = self.p.strip('/').split('/')
        if project != HC_PROJECT: return self.send(403, {'error': {'error_code': 'KMS.0310', 'error_msg': 'project'}})
        j = json.loads(self.body)
        if j.get('key_id', '').startswith('denied'):
            return self.send(403, {'error': {'error_code': 'KMS.0311', 'error_msg': 'The operation is not allowed for this user.'}})
        if j.get('key_id', '').startswith('missing'):
            return self.send(404, {'error': {'error_code': 'KMS.0401', 'error_msg': 'The key does not exist.'}})
        if verb == 'encrypt-data':
            k = S.aes('hc:' + j['key_id']); n = secrets.token_bytes(12)
            head = j['key_id'].encode()[:36].ljust(36, b'\0')
            ct = head + n + AESGCM(k).encrypt(n, j['plain_text'].encode(), head)
            return self.send(200, {'key_id': j['key_id'], 'cipher_text': base64.b64encode(ct).decode()})
        if verb == 'decrypt-data':
            try:
                ct = base64.b64decode(j['cipher_text']); kid = ct[:36].rstrip(b'\0').decode()
                pt = AESGCM(S.aes('hc:' + kid)).decrypt(ct[36:48], ct[48:], ct[:36])
            except (InvalidTag, ValueError):
                return self.send(400, {'error': {'error_code': 'KMS.0309', 'error_msg': 'Decrypt data failed.'}})
            return self.send(200, {'key_id': kid, 'plain_text': pt.decode(), 'plain_text_base64': base64.b64encode(pt).decode()})
        self.send(404, {'error': {'error_code': 'KMS.0204', 'error_msg': 'no api'}})


# ---------------------------------------------------------------- CONNECT proxy
def proxy(port, https_port, kms_port):
    ok = re.compile(r'(^|\.)(googleapis\.com|vault\.azure\.net|microsoftonline\.com|microsoft\.com|windows\.net|myhuaweicloud\.(com|eu))$')
    def pump(c):
        b = None
        try:
            buf = b''
            while b'\r\n\r\n' not in buf:
                x = c.recv(4096)
                if not x: return
                buf += x
            line = buf.split(b'\r\n', 1)[0].decode()
            m = re.match(r'^CONNECT ([^:]+):(\d+) HTTP/1\.[01]$', line)
            S.log(service='proxy', line=line)
            if not m or not ok.search(m.group(1).lower()):
                c.sendall(b'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n'); return
            b = socket.create_connection(('127.0.0.1', kms_port if m.group(1).lower().startswith('cloudkms.') else https_port))
            c.sendall(b'HTTP/1.1 200 Connection established\r\n\r\n')
            while True:
                r, _, _ = select.select([c, b], [], [], 60)
                if not r: return
                for s in r:
                    d = s.recv(65536)
                    if not d: return
                    (b if s is c else c).sendall(d)
        except OSError: pass
        finally:
            c.close()
            if b: b.close()
    l = socket.create_server(('127.0.0.1', port))
    def loop():
        while True:
            c, _ = l.accept()
            threading.Thread(target=pump, args=(c,), daemon=True).start()
    threading.Thread(target=loop, daemon=True).start()
    return l.getsockname()[1]


def main():
    global S
    ap = argparse.ArgumentParser(); ap.add_argument('--dir', required=True)
    o = ap.parse_args()
    os.makedirs(o.dir, exist_ok=True)
    S = State(o.dir); make_certs(o.dir); make_app(o.dir)
    sa = S.rsa('gcp-sa').private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    json.dump({'type': 'service_account', 'project_id': 'p', 'private_key_id': 'k1', 'private_key': sa, 'client_email': 'sops@p.iam.gserviceaccount.com',
               'client_id': '1', 'auth_uri': 'https://accounts.google.com/o/oauth2/auth', 'token_uri': 'https://oauth2.googleapis.com/token',
               'universe_domain': 'googleapis.com'}, open(o.dir + '/gcp-sa.json', 'w'))
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); ctx.load_cert_chain(o.dir + '/leaf.pem', o.dir + '/leaf.key')
    ports = []
    for tls in (True, False):
        srv = Server(('127.0.0.1', 0), H)
        ports.append(srv.server_address[1])
        if tls: srv.socket = ctx.wrap_socket(srv.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=srv.serve_forever, daemon=True).start()
    g = grpc.server(futures.ThreadPoolExecutor(4)); g.add_generic_rpc_handlers((grpc_handler(),))
    grpc_tls = g.add_secure_port('127.0.0.1:0', grpc.ssl_server_credentials([(open(o.dir + '/leaf.key', 'rb').read(), open(o.dir + '/leaf.pem', 'rb').read())]))
    grpc_plain = g.add_insecure_port('127.0.0.1:0'); g.start()
    https, http = ports
    found = dict(proxy_grpc=proxy(0, https, grpc_tls), proxy_rest=proxy(0, https, https), https=https, http=http,
                   grpc_tls=grpc_tls, grpc_plain=grpc_plain, tenant=TENANT, client_id=CLIENT_ID,
                   client_secret=CLIENT_SECRET, gcp_token=GCP_TOKEN, hc_ak=HC_AK, hc_sk=HC_SK, hc_project=HC_PROJECT, hc_temporary=HC_TEMPORARY, hc_session=HC_SESSION, hc_over=HC_OVER, msi_header=MSI_HEADER,
                   ca=o.dir + '/ca.pem', folder=o.dir, gcp_refresh=GCP_REFRESH, gcp_subject=GCP_SUBJECT, federated=FEDERATED,
                   vault_token=S.mint('https://vault.azure.net', 'az'), vault_over=S.mint('https://vault.azure.net', 'az', -60),
                   gcp_over=S.mint('gcp', 'user', -60), gcp_going=S.mint('gcp', 'user'))
    # In one step, so that nobody reads a part of it.
    with open(o.dir + '/env.tmp', 'w') as file: json.dump(found, file, indent=1)
    os.rename(o.dir + '/env.tmp', o.dir + '/env.json')
    print('ready', flush=True)
    threading.Event().wait()


if __name__ == '__main__': main()
