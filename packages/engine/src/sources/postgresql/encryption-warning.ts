import type { PsqlSession } from './psql-session.ts';
import type { Server } from './server.ts';

/** Null: encrypted, or it never leaves the machine. */
export function encryptionWarning({ settings, label }: Server, { facts }: PsqlSession): string | null {
  const { dbHost } = settings;
  const isLocal = dbHost.startsWith('/') || /^(localhost|127\.\d+\.\d+\.\d+|::1)$/i.test(dbHost);
  if (facts.isEncrypted || isLocal) return null;
  return `The connection to ${label} is not encrypted (TLS mode "${settings.tlsMode}").`;
}
