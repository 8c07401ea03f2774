/**
 * Node tokens: `bxa_<node id>_<secret>` with 256 random bits. Only the SHA-256 is stored; a slow hash would protect
 * nothing, since the secret cannot be guessed. Looking a token up by its hash also makes timing attacks pointless.
 */
import { hash, randomBytes } from 'node:crypto';
import { nodesStore } from '../stores/nodes.store.ts';
import type { Db } from './ports.ts';

export interface TokenOwner {
  readonly nodeId: number;
  readonly nodeName: string;
}

export interface NodeTokens {
  /** The node a token belongs to, or null. Known tokens are answered from memory. */
  owner(token: string): Promise<TokenOwner | null>;
  /** Drops what is remembered of a node that was renamed, rotated or deleted. */
  invalidate(nodeId: number): void;
}

export function createNodeToken(nodeId: number): string {
  return `bxa_${nodeId}_${randomBytes(32).toString('base64url')}`;
}

/** SHA-256 hex. */
export function hashNodeToken(token: string): string {
  return hash('sha256', token);
}

export function createNodeTokens(db: Db): NodeTokens {
  const cache = new Map<string, TokenOwner>();
  // A lookup that was under way while its node changed must not fill the cache with what it had read before.
  let generation = 0;

  return {
    async owner(token) {
      if (token === '' || token.length > 512) return null;
      const tokenHash = hashNodeToken(token);
      const known = cache.get(tokenHash);
      if (known) return known;
      const before = generation;
      const row = await nodesStore.findByTokenHash(db, tokenHash);
      if (!row) return null;
      const owner = { nodeId: row.id, nodeName: row.name };
      if (before === generation) cache.set(tokenHash, owner);
      return owner;
    },

    invalidate(nodeId) {
      generation += 1;
      for (const [tokenHash, owner] of cache) if (owner.nodeId === nodeId) cache.delete(tokenHash);
    },
  };
}
