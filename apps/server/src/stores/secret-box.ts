/**
 * Seals secrets at rest: AES-256-GCM under the installation's key. The text form is `sealed:v1:` + base64url of
 * nonce (12 bytes), tag (16 bytes) and ciphertext, so a sealed value is recognised wherever it turns up.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';

export interface SecretBox {
  /** Seals a text; the same text gives another result each time. */
  seal(text: string): string;
  /** Opens what `seal` made with the same key. Throws INTERNAL when it was changed or the key is another. */
  open(text: string): string;
}

export const SECRET_KEY_BYTES = 32;

const PREFIX = 'sealed:v1:';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** True for the output of `seal`. */
export function isSealed(text: string): boolean {
  return text.startsWith(PREFIX);
}

export function createSecretBox(key: Uint8Array): SecretBox {
  if (key.byteLength !== SECRET_KEY_BYTES) throw new RangeError(`the key must have ${SECRET_KEY_BYTES} bytes`);
  const keyCopy = Buffer.from(key);

  return {
    seal(text) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', keyCopy, nonce);
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return PREFIX + Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64url');
    },
    open(text) {
      try {
        if (!isSealed(text)) throw new Error('not a sealed value');
        const bytes = Buffer.from(text.slice(PREFIX.length), 'base64url');
        const nonce = bytes.subarray(0, NONCE_BYTES);
        const decipher = createDecipheriv('aes-256-gcm', keyCopy, nonce, { authTagLength: TAG_BYTES });
        decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
        const body = bytes.subarray(NONCE_BYTES + TAG_BYTES);
        return Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8');
      } catch (error) {
        throw new AppError(
          'INTERNAL',
          { requestId: '-' },
          { cause: new Error('cannot open a sealed value', { cause: error }) },
        );
      }
    },
  };
}
