/**
 * The recovery kit: one page of text that is enough to get files back when this installation is lost. It holds the key
 * and the places, never the passwords of the places.
 */
import { hostname } from 'node:os';
import type { DriverManifest } from '@backupx/contracts/driver-manifest';
import type { EncryptionKey } from '../../stores/encryption-keys.store.ts';

export interface KitPlace {
  readonly name: string;
  readonly type: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly manifest: DriverManifest | undefined;
  /** Newest artifact there, as an example for the commands; null: none yet. */
  readonly example: { readonly storagePath: string; readonly taskName: string } | null;
}

export interface KitContents {
  readonly siteName: string;
  readonly createdAt: Date;
  readonly key: EncryptionKey;
  readonly places: readonly KitPlace[];
  readonly repositories: readonly KitRepository[];
}

/** A repository has a password of its own and commands of its own; see `kit-commands`. */
export interface KitRepository {
  readonly name: string;
  readonly commands: readonly string[];
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
/** For a shell; single quotes make everything literal. */
const quoted = (value: string): string => `'${value.replaceAll("'", `'\\''`)}'`;

/** Settings that say where the place is. A field the driver calls secret is never printed; nor is one it does not know. */
function describe(place: KitPlace): string[] {
  const shown = place.manifest?.fields.filter((field) => !field.secret) ?? [];
  return shown
    .map((field) => [field.label, place.config[field.name]] as const)
    .filter(([, value]) => value !== undefined && value !== '' && value !== null)
    .map(([label, value]) => `    ${label}: ${Array.isArray(value) ? value.join(', ') : String(value)}`);
}

function joinKey(...parts: string[]): string {
  return parts
    .map((part) => part.replace(/^\/+|\/+$/g, ''))
    .filter(Boolean)
    .join('/');
}

/** First of the three commands: fetch the artifact with what every machine has. */
function fetchCommand(place: KitPlace, path: string): string {
  const { config } = place;
  if (place.type === 'local_disk') return `cp ${quoted(`${text(config.basePath).replace(/\/+$/, '')}/${path}`)} .`;
  if (place.type === 's3') {
    const endpoint = text(config.endpoint);
    const address = `s3://${text(config.bucket)}/${joinKey(text(config.prefix), path)}`;
    return `aws s3 cp ${endpoint ? `--endpoint-url ${quoted(endpoint)} ` : ''}${quoted(address)} .`;
  }
  return `# copy ${path} from the ${place.type} storage to this folder`;
}

function unpack(fileName: string): string[] {
  const isEncrypted = fileName.endsWith('.age');
  const inner = isEncrypted ? fileName.slice(0, -4) : fileName;
  const decompress = inner.endsWith('.zst') ? 'zstd -d' : inner.endsWith('.gz') ? 'gzip -d' : null;
  const steps = [
    isEncrypted ? `age -d -i key.txt ${quoted(fileName)}` : `cat ${quoted(fileName)}`,
    ...(decompress ? [decompress] : []),
    'tar -x --numeric-owner -C restored',
  ];
  return [`mkdir -p restored`, steps.join(' | ')];
}

function placeSection(place: KitPlace): string[] {
  const path = place.example?.storagePath ?? '<folder>/<name>.tar.zst.age';
  const fileName = path.split('/').pop() ?? path;
  const about = place.example
    ? `newest artifact, of task "${place.example.taskName}"`
    : 'no artifact yet; as an example';
  return [
    `* ${place.name} (${place.type})`,
    ...describe(place),
    `    ${about}: ${path}`,
    '',
    ...[fetchCommand(place, path), ...unpack(fileName)].map((line) => `      ${line}`),
    '',
  ];
}

function repositorySection({ name, commands }: KitRepository): string[] {
  return [`* ${name}`, ...commands.map((line) => `      ${line}`), ''];
}

export function writeRecoveryKit({ siteName, createdAt, key, places, repositories }: KitContents): string {
  return [
    `RECOVERY KIT of ${siteName} (BackupX on ${hostname()})`,
    `Made ${createdAt.toISOString()}. Print it or keep it in a safe: whoever has this page can read every encrypted backup.`,
    '',
    '1. THE KEY',
    '   Save these two lines as key.txt (the first is a comment):',
    '',
    `# public key: ${key.recipient}`,
    key.identity,
    '',
    '2. THE PLACES, AND THE COMMANDS THAT RESTORE FROM THEM',
    '   Needed: age (https://age-encryption.org), zstd, tar; for S3 also aws and the credentials of the bucket.',
    '   Each artifact is an ordinary archive: fetch it, then open, decompress and unpack it in one line.',
    '',
    ...(places.length === 0 ? ['   There is no storage target yet.', ''] : places.flatMap(placeSection)),
    ...(repositories.length === 0
      ? []
      : [
          '3. THE REPOSITORIES',
          '   Needed: restic (https://restic.net). Each has its password in its first command; the last one restores.',
          '',
          ...repositories.flatMap(repositorySection),
        ]),
  ].join('\n');
}
