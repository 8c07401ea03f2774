/**
 * Method and path of each route the console calls, as plain strings, so that the schemas (and Zod) stay out of the
 * browser. Types come from the contracts; `route-table.test.ts` fails when a string differs from its contract.
 */
import type { allRoutes } from '@backupx/contracts/api/all-routes';
import type {
  ClientBodyOf,
  ClientOutputOf,
  ClientParamsOf,
  ClientQueryOf,
  HttpMethod,
} from '@backupx/contracts/define-route';

type Groups = typeof allRoutes;

export const routeTable = {
  'auth.setupStatus': 'GET /api/auth/setup/status',
  'auth.setup': 'POST /api/auth/setup',
  'auth.login': 'POST /api/auth/login',
  'auth.logout': 'POST /api/auth/logout',
  'auth.profile': 'GET /api/auth/profile',
  'auth.changePassword': 'PUT /api/auth/password',
  'users.list': 'GET /api/users',
  'users.create': 'POST /api/users',
  'users.update': 'PUT /api/users/:id',
  'users.remove': 'DELETE /api/users/:id',
  'apiKeys.list': 'GET /api/api-keys',
  'apiKeys.create': 'POST /api/api-keys',
  'apiKeys.toggle': 'PUT /api/api-keys/:id/toggle',
  'apiKeys.remove': 'DELETE /api/api-keys/:id',
  'storageTargets.list': 'GET /api/storage-targets',
  'storageTargets.get': 'GET /api/storage-targets/:id',
  'storageTargets.usage': 'GET /api/storage-targets/:id/usage',
  'storageTargets.create': 'POST /api/storage-targets',
  'storageTargets.update': 'PUT /api/storage-targets/:id',
  'storageTargets.remove': 'DELETE /api/storage-targets/:id',
  'storageTargets.testUnsaved': 'POST /api/storage-targets/test',
  'storageTargets.test': 'POST /api/storage-targets/:id/test',
  'sources.inspect': 'POST /api/sources/inspect',
  'drivers.list': 'GET /api/drivers',
  'tasks.list': 'GET /api/backup/tasks',
  'tasks.get': 'GET /api/backup/tasks/:id',
  'tasks.create': 'POST /api/backup/tasks',
  'tasks.update': 'PUT /api/backup/tasks/:id',
  'tasks.remove': 'DELETE /api/backup/tasks/:id',
  'tasks.toggle': 'PUT /api/backup/tasks/:id/toggle',
  'tasks.run': 'POST /api/backup/tasks/:id/run',
  'tasks.previewSchedule': 'POST /api/backup/tasks/preview-schedule',
  'records.list': 'GET /api/backup/records',
  'records.get': 'GET /api/backup/records/:id',
  'records.contents': 'GET /api/backup/records/:id/contents',
  'records.previewRestore': 'POST /api/backup/records/:id/restore/preview',
  'records.restore': 'POST /api/backup/records/:id/restore',
  'records.cancel': 'POST /api/backup/records/:id/cancel',
  'records.lock': 'PUT /api/backup/records/:id/lock',
  'records.remove': 'DELETE /api/backup/records/:id',
  'verifications.startForTask': 'POST /api/backup/tasks/:id/verify',
  'verifications.startForRecord': 'POST /api/backup/records/:id/verify',
  'verifications.list': 'GET /api/verify/records',
  'verifications.get': 'GET /api/verify/records/:id',
  'verifications.cancel': 'POST /api/verify/records/:id/cancel',
  'restores.list': 'GET /api/restore/records',
  'restores.get': 'GET /api/restore/records/:id',
  'restores.cancel': 'POST /api/restore/records/:id/cancel',
  'nodes.list': 'GET /api/nodes',
  'nodes.get': 'GET /api/nodes/:id',
  'nodes.create': 'POST /api/nodes',
  'nodes.update': 'PUT /api/nodes/:id',
  'nodes.remove': 'DELETE /api/nodes/:id',
  'nodes.rotateToken': 'POST /api/nodes/:id/rotate-token',
  'nodes.listDirectory': 'GET /api/nodes/:id/fs/list',
  'repositories.list': 'GET /api/repositories',
  'repositories.get': 'GET /api/repositories/:id',
  'repositories.create': 'POST /api/repositories',
  'repositories.adopt': 'POST /api/repositories/adopt',
  'repositories.update': 'PUT /api/repositories/:id',
  'repositories.remove': 'DELETE /api/repositories/:id',
  'repositories.issueToken': 'POST /api/repositories/:id/gateway-token',
  'repositories.revokeToken': 'DELETE /api/repositories/:id/gateway-token',
  'repositorySnapshots.list': 'GET /api/repositories/:id/snapshots',
  'repositorySnapshots.contents': 'GET /api/repositories/:id/snapshots/:snapshotId/contents',
  'repositorySnapshots.find': 'GET /api/repositories/:id/find',
  'repositorySnapshots.diff': 'GET /api/repositories/:id/diff',
  'repositorySnapshots.restore': 'POST /api/repositories/:id/snapshots/:snapshotId/restore',
  'repositoryActions.check': 'POST /api/repositories/:id/check',
  'repositoryActions.prune': 'POST /api/repositories/:id/prune',
  'repositoryActions.repair': 'POST /api/repositories/:id/repair',
  'repositoryActions.copy': 'POST /api/repositories/:id/copy',
  'repositoryActions.forget': 'POST /api/repositories/:id/forget',
  'repositoryActions.unlock': 'POST /api/repositories/:id/unlock',
  'repositoryActions.keys': 'GET /api/repositories/:id/keys',
  'repositoryActions.addKey': 'POST /api/repositories/:id/keys',
  'repositoryActions.removeKey': 'DELETE /api/repositories/:id/keys/:keyId',
  'maintenance.list': 'GET /api/maintenance/records',
  'maintenance.get': 'GET /api/maintenance/records/:id',
  'maintenance.cancel': 'POST /api/maintenance/records/:id/cancel',
  'dashboard.overview': 'GET /api/dashboard/overview',
  'settings.get': 'GET /api/settings',
  'settings.update': 'PUT /api/settings',
  'audit.list': 'GET /api/audit-logs',
  'system.info': 'GET /api/system/info',
  'system.recoveryKitStatus': 'GET /api/recovery-kit/status',
} as const satisfies Record<string, `${HttpMethod} /api/${string}`>;

export type RouteName = keyof typeof routeTable;
type ContractOf<N extends string> = N extends `${infer G extends keyof Groups & string}.${infer R}`
  ? R extends keyof Groups[G]
    ? Groups[G][R]
    : never
  : never;
type Only<K extends string, T> = [T] extends [undefined] ? { [P in K]?: undefined } : { [P in K]: T };
type OptionalWhenEmpty<K extends string, T> = Record<never, never> extends T ? { [P in K]?: T } : Only<K, T>;

/** What a call of route `N` takes: `params` of the path, `query` and `body`, exactly as the contract accepts them. */
export type InputOf<N extends RouteName> = Only<'params', ClientParamsOf<ContractOf<N>>> &
  OptionalWhenEmpty<'query', ClientQueryOf<ContractOf<N>>> &
  OptionalWhenEmpty<'body', ClientBodyOf<ContractOf<N>>> & { signal?: AbortSignal };
/** What route `N` answers inside the envelope. */
export type AnswerOf<N extends RouteName> = ClientOutputOf<ContractOf<N>>;
