/** Every kind of thing that can be backed up. A new source is one line here. */
import type { SourceDriver } from '../ports/source.ts';
import { filesSource } from './files/files-source.ts';
import { mongodbSource } from './mongodb/mongodb-source.ts';
import { mysqlSource } from './mysql/mysql-source.ts';
import { mysqlPhysicalSource } from './mysql/physical/physical-source.ts';
import { postgresqlPhysicalSource } from './postgresql/physical/physical-source.ts';
import { postgresqlSource } from './postgresql/postgresql-source.ts';
import { redisSource } from './redis/redis-source.ts';
import { hanaSource } from './saphana/saphana-source.ts';
import { sqliteSource } from './sqlite/sqlite-source.ts';

export const sourceDrivers: readonly SourceDriver[] = [
  filesSource,
  mongodbSource,
  mysqlSource,
  mysqlPhysicalSource,
  postgresqlSource,
  postgresqlPhysicalSource,
  redisSource,
  hanaSource,
  sqliteSource,
];
