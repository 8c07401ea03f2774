/** Every route of the console API by group; OpenAPI, the typed clients and a completeness test walk this. */
import { agentRoutes } from '../agent-protocol.ts';
import { apiKeyRoutes, authRoutes, userRoutes } from './auth.ts';
import { maintenanceRoutes } from './maintenance.ts';
import { nodeRoutes } from './nodes.ts';
import { recordRoutes, restoreRoutes } from './records.ts';
import { repositoryRoutes } from './repositories.ts';
import { repositoryActionRoutes } from './repository-actions.ts';
import { repositorySnapshotRoutes } from './repository-snapshots.ts';
import { sourceRoutes } from './sources.ts';
import { driverRoutes, storageTargetRoutes } from './storage-targets.ts';
import { auditRoutes, dashboardRoutes, healthRoutes, settingsRoutes, systemRoutes } from './system.ts';
import { taskRoutes } from './tasks.ts';
import { verifyRoutes } from './verifications.ts';

export const allRoutes = {
  auth: authRoutes,
  users: userRoutes,
  apiKeys: apiKeyRoutes,
  storageTargets: storageTargetRoutes,
  drivers: driverRoutes,
  sources: sourceRoutes,
  tasks: taskRoutes,
  records: recordRoutes,
  restores: restoreRoutes,
  verifications: verifyRoutes,
  nodes: nodeRoutes,
  repositories: repositoryRoutes,
  repositorySnapshots: repositorySnapshotRoutes,
  repositoryActions: repositoryActionRoutes,
  maintenance: maintenanceRoutes,
  dashboard: dashboardRoutes,
  settings: settingsRoutes,
  audit: auditRoutes,
  system: systemRoutes,
  health: healthRoutes,
  agent: agentRoutes,
} as const;
