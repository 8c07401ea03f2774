import { arch, hostname, platform } from 'node:os';
import { AGENT_PROTOCOL_VERSION } from '@backupx/contracts/agent-protocol';
import type { Node } from '@backupx/contracts/api/nodes';
import { architectureName } from '@backupx/contracts/architecture-name';
import type { Liveness } from '../../dispatch/node-liveness.ts';
import type { NodeCounts, NodeRow } from '../../stores/nodes.store.ts';

/** A node as the console sees it: pending until its first heartbeat, online while the last one is fresh. */
export function toNode(
  row: NodeRow,
  counts: NodeCounts,
  { liveness, isOnline }: { liveness: Liveness | undefined; isOnline: boolean },
): Node {
  const base = { id: row.id, name: row.name, createdAt: row.created_at, ...counts };
  if (row.is_local === 1) {
    return {
      ...base,
      isLocal: true,
      status: 'online',
      hostname: hostname(),
      ipAddress: '',
      os: platform(),
      arch: architectureName(arch()),
      agentVersion: '',
      protocol: AGENT_PROTOCOL_VERSION,
      lastSeen: null,
    };
  }
  return {
    ...base,
    isLocal: false,
    status: liveness ? (isOnline ? 'online' : 'offline') : 'pending',
    hostname: liveness?.hostname ?? '',
    ipAddress: liveness?.ip_address ?? '',
    os: liveness?.os ?? '',
    arch: liveness?.arch ?? '',
    agentVersion: liveness?.agent_version ?? '',
    protocol: liveness?.protocol ?? 1,
    lastSeen: liveness ? new Date(liveness.lastSeenMs).toISOString() : null,
  };
}
