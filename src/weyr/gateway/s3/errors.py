"""How does the S3 door say no? One exception that carries S3's own code, with its status and words.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (2026-11).
"""

_CODES: dict[str, tuple[int, str]] = {
    "AccessControlListNotSupported": (400, "The bucket does not allow ACLs."),
    "AccessDenied": (403, "Access Denied"),
    "AccessForbidden": (403, "CORSResponse: This CORS request is not allowed."),
    "AuthorizationHeaderMalformed": (400, "The authorization header that you provided is not valid."),
    "AuthorizationQueryParametersError": (400, "The authorization query parameters that you provided are not valid."),
    "BadRequest": (400, "Bad Request"),
    "BadDigest": (400, "The Content-MD5 or checksum value that you specified did not match what the server received."),
    "BucketAlreadyExists": (409, "The requested bucket name is not available."),
    "BucketAlreadyOwnedByYou": (409, "The bucket that you tried to create already exists, and you own it."),
    "BucketNotEmpty": (409, "The bucket that you tried to delete is not empty."),
    "EntityTooLarge": (400, "Your proposed upload exceeds the maximum allowed object size."),
    "EntityTooSmall": (400, "Your proposed upload is smaller than the minimum allowed object size."),
    "ExpiredToken": (400, "The provided token has expired."),
    "IllegalVersioningConfigurationException": (
        400,
        "The versioning configuration specified in the request is invalid.",
    ),
    "IncompleteBody": (400, "You did not provide the number of bytes specified by the Content-Length HTTP header."),
    "InternalError": (500, "The server met an error of its own. Please try again, and report it if it stays."),
    "InvalidAccessKeyId": (403, "The access key ID that you provided does not exist in our records."),
    "InvalidArgument": (400, "Invalid Argument"),
    "InvalidBucketAclWithObjectOwnership": (
        400,
        "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting.",
    ),
    "InvalidBucketName": (400, "The specified bucket is not valid."),
    "InvalidBucketState": (409, "The request is not valid with the current state of the bucket."),
    "InvalidDigest": (400, "The Content-MD5 or checksum value that you specified is not valid."),
    "InvalidEncryptionAlgorithmError": (400, "The encryption request that you specified is not valid: only AES256."),
    "InvalidPart": (400, "One or more of the specified parts could not be found."),
    "InvalidPartOrder": (400, "The list of parts was not in ascending order."),
    "InvalidPolicyDocument": (400, "The content of the form does not meet the conditions of its policy."),
    "InvalidRange": (416, "The requested range is not satisfiable."),
    "InvalidRequest": (400, "Invalid Request"),
    "InvalidRetentionPeriod": (400, "Default retention period must be a positive integer value."),
    "InvalidStorageClass": (400, "The storage class that you specified is not valid."),
    "InvalidTag": (400, "The tag provided was not a valid tag."),
    "InvalidTargetBucketForLogging": (400, "The target bucket for logging is not one that logs can go to."),
    "InvalidURI": (400, "The specified URI could not be parsed."),
    "KMS.NotFoundException": (400, "The key that you named does not exist."),
    "KeyTooLongError": (400, "Your key is too long."),
    "MalformedACLError": (400, "The ACL that you provided was not well formed or did not validate."),
    "MalformedPOSTRequest": (400, "The body of your POST request is not well-formed multipart/form-data."),
    "MalformedPolicy": (400, "Your policy contains a principal, an action or a condition that is not valid."),
    "MalformedTrailerError": (400, "The trailers of the request are not well formed."),
    "MalformedXML": (400, "The XML that you provided was not well formed or did not validate against our schema."),
    "MaxMessageLengthExceeded": (400, "Your request was too large."),
    "MaxPostPreDataLengthExceededError": (400, "Your POST request fields preceding the file were too large."),
    "MetadataTooLarge": (400, "Your metadata headers exceed the maximum allowed metadata size."),
    "MethodNotAllowed": (405, "The specified method is not allowed against this resource."),
    "MissingContentLength": (411, "You must provide the Content-Length HTTP header."),
    "MissingSecurityHeader": (400, "Your request was missing a required header."),
    "NoSuchBucket": (404, "The specified bucket does not exist."),
    "NoSuchBucketPolicy": (404, "The specified bucket does not have a bucket policy."),
    "NoSuchCORSConfiguration": (404, "The CORS configuration does not exist."),
    "NoSuchKey": (404, "The specified key does not exist."),
    "NoSuchLifecycleConfiguration": (404, "The lifecycle configuration does not exist."),
    "NoSuchObjectLockConfiguration": (404, "The specified object does not have a ObjectLock configuration."),
    "NoSuchPublicAccessBlockConfiguration": (404, "The public access block configuration was not found."),
    "NoSuchTagSet": (404, "The TagSet does not exist."),
    "NoSuchUpload": (404, "The specified multipart upload does not exist."),
    "NoSuchVersion": (404, "The specified version does not exist."),
    "NotImplemented": (501, "A header or request that you provided implies functionality that is not implemented."),
    "ObjectLockConfigurationNotFoundError": (404, "Object Lock configuration does not exist for this bucket."),
    "OperationAborted": (409, "A conflicting conditional operation is in progress against this resource."),
    "OwnershipControlsNotFoundError": (404, "The bucket ownership controls were not found."),
    "PreconditionFailed": (412, "At least one of the preconditions that you specified did not hold."),
    "ReplicationConfigurationNotFoundError": (404, "The replication configuration was not found."),
    "RequestHeaderSectionTooLarge": (400, "Your request header section exceeds the maximum allowed size."),
    "RequestTimeTooSkewed": (403, "The difference between the request time and the server's time is too large."),
    "RequestTimeout": (400, "The body did not arrive in time."),
    "ServerSideEncryptionConfigurationNotFoundError": (
        404,
        "The server side encryption configuration was not found.",
    ),
    "ServiceUnavailable": (503, "The server cannot take the request now. Please try again."),
    "SignatureDoesNotMatch": (
        403,
        "The request signature that the server calculated does not match the signature that you provided.",
    ),
    "SlowDown": (503, "Please reduce your request rate."),
    "UnresolvableGrantByEmailAddress": (400, "The e-mail address that you provided does not match any account."),
    "XAmzContentSHA256Mismatch": (400, "The provided 'x-amz-content-sha256' header does not match what was computed."),
}


class S3Error(Exception):
    """A refusal in S3's own words. `fields` become elements of the error document beside Code and Message."""

    def __init__(self, code: str, message: str = "", **fields: str) -> None:
        self.code = code
        self.status, default = _CODES[code]
        self.message = message or default
        self.fields = fields
        self.headers: list[tuple[str, str]] = []
        self.is_audited = False
        """A refusal is written to the audit trail once, by whoever knows most about it."""
        super().__init__(f"{code}: {self.message}")

    def __reduce__(self) -> "tuple[type[S3Error], tuple[str, str], dict[str, object]]":
        """A refusal crosses from the process that writes to the one that answers."""
        return type(self), (self.code, self.message), dict(self.__dict__)


def not_implemented(what: str) -> S3Error:
    """The answer to everything that Weyr knows and does not do: it is refused, never ignored."""
    return S3Error("NotImplemented", f"weyr does not implement {what}")
