/** What is in a server under the names that a restore would use, and who is connected to it. */
import type { TargetContext, TargetInspection } from '../../ports/source.ts';
import { placeOf } from './entry-paths.ts';
import { PsqlSession } from './psql-session.ts';
import { sessionsOf } from './restore-plan.ts';
import { productName } from './saved-server.ts';
import { isPartial } from './select-entries.ts';
import { Server } from './server.ts';
import { configSchema, newNameOf, type PostgresqlConfig, restoreSchema, serverOfRestore } from './settings.ts';
import { quoteLiteral } from './sql-text.ts';

/** Throws DATABASE_*. */
export async function inspectTarget(config: PostgresqlConfig, context: TargetContext): Promise<TargetInspection> {
  const options = restoreSchema.parse(context.options);
  const settings = serverOfRestore(config, options);
  const saved = context.entries.flatMap((entry) => placeOf(Buffer.from(entry))?.database ?? []);
  const names = [...new Set(saved)].map((name) => newNameOf(name, options.rename));
  const server = await Server.open(settings, context.tempDir, context.signal);
  try {
    const session = await PsqlSession.open(server, settings.maintenanceDatabase, context.signal);
    try {
      const databases = [];
      // Parts are put beside what is there, for which nobody has to leave.
      const withSessions = !isPartial(options);
      for (const name of names) databases.push(await lookAt(session, name, withSessions));
      return { server: server.label, databases, product: productName(session.facts.version) };
    } finally {
      await session.close();
    }
  } finally {
    server.close();
  }
}

const SIZE = `CASE WHEN has_database_privilege(oid, 'CONNECT') THEN pg_database_size(oid) END`;

type Found = TargetInspection['databases'][number];

async function lookAt(session: PsqlSession, name: string, withSessions: boolean): Promise<Found> {
  const query = `SELECT ${SIZE} AS size FROM pg_database WHERE datname = ${quoteLiteral(name)}`;
  const [found] = await session.query<{ size: number | null }>(query);
  if (!found) return { name, exists: false, sizeBytes: null, sessions: [] };
  const others = withSessions ? await sessionsOf(session, name) : [];
  const sessions = others.map(({ pid, user, address, program, since }) => {
    return { id: String(pid), user: user ?? '', address: address ?? '', program: program ?? '', since };
  });
  return { name, exists: true, sizeBytes: found.size, sessions };
}

/** Roles stay as they are in a restore, or are added; so they are not saved. */
export function targetSettings(
  config: PostgresqlConfig,
  options: Readonly<Record<string, unknown>>,
  databases: readonly string[],
): PostgresqlConfig {
  const server = serverOfRestore(config, restoreSchema.parse(options));
  const { dbHost, dbPort, dbUser, dbPassword, tlsMode, tlsCa, tlsCertificate, tlsKey } = server;
  const { systemUser, maintenanceDatabase, toolFolder } = server;
  return configSchema.parse({
    ...{ dbHost, dbPort, dbUser, dbPassword, tlsMode, tlsCa, tlsCertificate, tlsKey },
    ...{ systemUser, maintenanceDatabase, toolFolder, databases, includeGlobals: false },
  });
}
