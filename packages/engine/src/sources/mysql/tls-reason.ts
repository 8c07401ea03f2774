/** What the programs of MariaDB and MySQL say of certificates. The first that fits; an old certificate may fail for more than that. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/does(?:n't| not) support it|without SSL|SSL is required/i, 'the server offers no TLS'],
  [/expired/i, 'the certificate has expired'],
  [/not yet valid/i, 'the certificate is not valid yet'],
  [
    // They say so of a certificate that is good in all else.
    /host ?name|not match|Validation of SSL server certificate failed|SSL certificate validation failure|certificate matching/i,
    'the name in the certificate is another one',
  ],
  [/self.signed certificate in/i, 'the certificate is signed by an authority that is not trusted here'],
  [/self.signed/i, 'the certificate is signed by itself'],
  [
    /unable to get (?:local )?issuer|unable to verify|not trusted|unknown ca/i,
    'the certificate is signed by an authority that is not trusted here',
  ],
  [
    /certificate required|bad certificate|handshake failure/i,
    'the server asks for a certificate of the client, or does not take the one it got',
  ],
  // All that MySQL's own programs say.
  [
    /certificate verify failed/i,
    'the certificate is not trusted here: its authority is unknown, it is signed by itself, or it has expired',
  ],
];

/** In plain words; null: nothing of that. */
export function tlsReason(messages: string): string | null {
  return REASONS.find(([pattern]) => pattern.test(messages))?.[1] ?? null;
}
