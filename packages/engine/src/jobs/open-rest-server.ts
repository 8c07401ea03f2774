import { z } from 'zod';
import type { Storage } from '../ports/storage.ts';
import { parseConfig } from './parse-settings.ts';

const config = z.object({
  url: z.string(),
  user: z.string().optional(),
  password: z.string().optional(),
  token: z.string().optional(),
  proxyUrl: z.string().optional(),
  caCertificate: z.string().optional(),
  insecureTls: z.boolean().optional(),
});

/**
 * A restic REST server that the command line was pointed at. It is no storage driver, because it holds nothing but
 * repositories. Throws INVALID_INPUT, STORAGE_CONFIG.
 */
export async function openRestServer(settings: unknown): Promise<Storage> {
  const { createRestStorage } = await import('../repository/rest-storage.ts');
  return createRestStorage(config.parse(parseConfig({ config }, settings)));
}
