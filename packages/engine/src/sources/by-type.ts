/** Sources of `index.ts` that a job loads alone. For one that is not here a job loads them all. */
import type { SourceDriver } from '../ports/source.ts';

export const sourcesByType: Readonly<Record<string, () => Promise<SourceDriver>>> = {
  file: async () => (await import('./files/files-source.ts')).filesSource,
  mysql: async () => (await import('./mysql/mysql-source.ts')).mysqlSource,
  postgresql: async () => (await import('./postgresql/postgresql-source.ts')).postgresqlSource,
  'postgresql-physical': async () =>
    (await import('./postgresql/physical/physical-source.ts')).postgresqlPhysicalSource,
  redis: async () => (await import('./redis/redis-source.ts')).redisSource,
  saphana: async () => (await import('./saphana/saphana-source.ts')).hanaSource,
  sqlite: async () => (await import('./sqlite/sqlite-source.ts')).sqliteSource,
};
