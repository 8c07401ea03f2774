import { expect, it } from 'vitest';
import { isTrustCode } from './tls-trust.ts';

it.each([
  ['CERT_HAS_EXPIRED', true],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', true],
  ['ERR_TLS_CERT_ALTNAME_INVALID', true],
  ['ERR_SSL_WRONG_VERSION_NUMBER', true],
  ['ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR', false],
  ['ERR_SSL_TLSV1_UNRECOGNIZED_NAME', false],
  ['ERR_SSL_SSLV3_ALERT_BAD_RECORD_MAC', false],
  ['ECONNREFUSED', false],
])('%s: %j', (code, isTrust) => {
  expect(isTrustCode(code)).toBe(isTrust);
});
