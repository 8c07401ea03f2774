/** A repository's place in the words of people and of stock restic. Nothing secret. */
import type { OpenedTarget } from '../locate-artifact.ts';

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const trimmed = (value: unknown): string => text(value).replace(/^\/+|\/+$/g, '');

function join(...parts: string[]): string {
  return parts.filter((part) => part !== '').join('/');
}

/** As `restic -r` takes it, for the types of storage it knows; the storage's own words otherwise. */
export function locationOf(target: Pick<OpenedTarget, 'type' | 'config' | 'name'>, prefix: string): string {
  const { config } = target;
  if (target.type === 'local_disk') return `${text(config.basePath).replace(/\/+$/, '')}/${prefix}`.replace(/\/$/, '');
  if (target.type === 's3') {
    const endpoint = text(config.endpoint).replace(/\/+$/, '');
    return `s3:${join(endpoint, text(config.bucket), trimmed(config.prefix), prefix)}`;
  }
  return join(target.name, prefix);
}
