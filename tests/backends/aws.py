#!/usr/bin/env python3
"""moto_server, which answers as AWS does, and in AWS' words, in two cases that moto has not:

- a ciphertext is decrypted with another key than the one that it was made with;
- the session of an assumed role is over (of those with the name `over` from their beginning).

    python aws.py -H HOST -p PORT
"""

import datetime

from moto.core.exceptions import JsonRESTError
from moto.core.utils import utcnow
from moto.iam import access_control
from moto.kms.models import KmsBackend
from moto.s3.exceptions import S3ClientError
from moto.server import main
from moto.sts.models import AssumedRole


class IncorrectKey(JsonRESTError):
    code = 400

    def __init__(self):
        said = "The key ID in the request does not identify a CMK that can perform this operation."
        super().__init__("IncorrectKeyException", said)


class ExpiredToken(JsonRESTError):
    code = 400

    def __init__(self):
        super().__init__("ExpiredTokenException", "The security token included in the request is expired")


def before(owner, name):
    """Lets a function run in the place of a method, which it gets as its first argument."""
    method = getattr(owner, name)
    return lambda new: setattr(owner, name, lambda *arguments, **named: new(method, *arguments, **named))


@before(KmsBackend, "decrypt")
def decrypt(method, self, ciphertext_blob, encryption_context, key_id=None):
    plaintext, arn = method(self, ciphertext_blob, encryption_context)
    if key_id is not None and self.keys[self.any_id_to_key_id(key_id)].arn != arn:
        raise IncorrectKey()
    return plaintext, arn


@before(AssumedRole, "__init__")
def begin(method, self, *arguments, **named):
    method(self, *arguments, **named)
    if self.session_name == "over":
        self.expiration = utcnow() - datetime.timedelta(seconds=1)


@before(access_control.AssumedRoleAccessKey, "__init__")
def check(method, self, account_id, partition, access_key_id, headers):
    method(self, account_id, partition, access_key_id, headers)
    for session in access_control.sts_backends[account_id][partition].assumed_roles:
        if session.access_key_id == access_key_id and session.expiration < utcnow():
            raise access_control.CreateAccessKeyFailure("Expired")


@before(access_control.IAMRequest, "_raise_invalid_access_key")
def refuse(method, self, reason):
    if reason == "Expired":
        raise ExpiredToken()
    method(self, reason)


@before(access_control.S3IAMRequest, "_raise_invalid_access_key")
def refuse_s3(method, self, reason):
    if reason == "Expired":
        raise S3ClientError("ExpiredToken", "The provided token has expired.")
    method(self, reason)


if __name__ == "__main__":
    main()
