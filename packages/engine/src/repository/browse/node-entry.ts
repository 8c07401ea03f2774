import type { ArtifactEntry } from '@backupx/contracts/jobs';
import { displayPath } from '../../ports/display-path.ts';
import { formatGoTime } from '../format/go-time.ts';
import type { TreeNode } from '../format/tree-node.ts';

const TYPES: Readonly<Record<string, ArtifactEntry['type']>> = {
  file: 'file',
  dir: 'directory',
  symlink: 'symlink',
  dev: 'block_device',
  chardev: 'char_device',
};

/** What a person is shown of a node. */
export function nodeEntry(node: TreeNode, path: string): ArtifactEntry {
  return {
    name: displayPath(node.name),
    path,
    type: entryType(node),
    size: Number(node.size),
    modifiedAt: formatGoTime(node.mtimeNs),
    mode: node.mode & 0o7777,
    ...(node.linkTarget ? { linkTarget: displayPath(node.linkTarget) } : {}),
  };
}

/** Sockets, which only old repositories hold, pass for pipes. */
export function entryType(node: Pick<TreeNode, 'type'>): ArtifactEntry['type'] {
  return TYPES[node.type] ?? 'fifo';
}
