const TRUST = /^(CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERR_TLS_|ERR_SSL_|ERR_OSSL_)/;
/** What a proxy says that is being started and has no certificate at hand yet, and what a broken line looks like. */
const PASSING = /ALERT_INTERNAL_ERROR|UNRECOGNIZED_NAME|BAD_RECORD_MAC|UNEXPECTED_EOF/;

/** Whether a failed connection does not become right by trying again: certificates, or no TLS at all. */
export const isTrustCode = (code: string): boolean => TRUST.test(code) && !PASSING.test(code);
