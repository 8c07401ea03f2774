/** How stock restic opens a repository of ours: the commands of the recovery kits. */
import type { OpenedTarget } from '../locate-artifact.ts';
import { locationOf } from './repository-location.ts';

interface KitPlace {
  readonly target: OpenedTarget;
  readonly prefix: string;
  readonly password: string;
}

/** For a shell; single quotes make everything literal. */
const quoted = (value: string): string => `'${value.replaceAll("'", `'\\''`)}'`;
const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Variables the storage wants besides restic's own; the secret is not in the kit. */
function placeVariables({ type, config }: OpenedTarget): string[] {
  if (type !== 's3') return [];
  return [
    `AWS_ACCESS_KEY_ID=${quoted(text(config.accessKeyId))}`,
    `AWS_SECRET_ACCESS_KEY='<the secret key of the bucket>'`,
    `AWS_DEFAULT_REGION=${quoted(text(config.region) || 'us-east-1')}`,
  ];
}

function optionsOf({ type, config }: OpenedTarget): string {
  const lookup = type === 's3' && config.forcePathStyle === true ? ' -o s3.bucket-lookup=path' : '';
  const insecure = type === 's3' && config.insecureTls === true ? ' --insecure-tls' : '';
  return lookup + insecure;
}

/** The three commands, one line each. */
export function kitCommands(kit: KitPlace): string[] {
  const { target, prefix, password } = kit;
  const variables = [
    `RESTIC_REPOSITORY=${quoted(locationOf(target, prefix))}`,
    `RESTIC_PASSWORD=${quoted(password)}`,
    ...placeVariables(target),
  ];
  const options = optionsOf(target);
  return [
    `export ${variables.join(' ')}`,
    `restic${options} snapshots`,
    `restic${options} restore latest --target restored`,
  ];
}
