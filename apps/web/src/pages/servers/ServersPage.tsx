import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { useNodes } from '../../api/queries.ts';
import { useUser } from '../../api/session.ts';
import type { Node } from '../../api/types.ts';
import { PageHeader } from '../../components/PageHeader.tsx';
import { paths } from '../../components/paths.ts';
import { QueryView } from '../../components/QueryView.tsx';
import { NodeStatusBadge } from '../../components/Status.tsx';
import { Time } from '../../components/Time.tsx';
import { t } from '../../i18n/i18n.ts';
import { buttonClass, IconButton } from '../../ui/Button.tsx';
import { Card, EmptyState } from '../../ui/Card.tsx';
import { type Column, DataTable } from '../../ui/DataTable.tsx';
import { Icon } from '../../ui/Icon.tsx';
import { RemoveNode, RenameNode, RotateToken } from './NodeDialogs.tsx';

type Opened = { kind: 'rename' | 'rotate' | 'remove'; node: Node } | null;

function columns(isAdmin: boolean, open: (opened: Opened) => void): readonly Column<Node>[] {
  return [
    {
      id: 'name',
      title: t('task.server'),
      lead: true,
      cell: (node) => (
        <div className="min-w-0">
          <p className="font-medium [overflow-wrap:anywhere]">
            {node.name}
            {node.isLocal && <span className="ml-2 text-[13px] font-normal text-ink-3">{t('servers.local')}</span>}
          </p>
          <p className="text-[13px] text-ink-3">{[node.hostname, node.ipAddress].filter(Boolean).join(' · ')}</p>
        </div>
      ),
    },
    { id: 'status', title: t('task.state'), cell: (node) => <NodeStatusBadge status={node.status} /> },
    {
      id: 'system',
      title: t('servers.system'),
      hideBelow: 'lg',
      cell: (node) => [node.os, node.arch].filter(Boolean).join(' / ') || '–',
    },
    { id: 'version', title: t('servers.version'), hideBelow: 'lg', cell: (node) => node.agentVersion || '–' },
    {
      id: 'tasks',
      title: t('nav.tasks'),
      end: true,
      cell: (node) => <span className="tabular-nums">{node.taskCount}</span>,
    },
    {
      id: 'running',
      title: t('servers.running'),
      end: true,
      cell: (node) => <span className="tabular-nums">{node.runningCount}</span>,
    },
    {
      id: 'seen',
      title: t('servers.lastSeen'),
      cell: (node) => (node.isLocal ? '–' : <Time at={node.lastSeen} empty={t('task.never')} />),
    },
    ...(isAdmin
      ? [
          {
            id: 'actions',
            title: t('table.actions'),
            quiet: true,
            end: true,
            cell: (node: Node) => (
              <div className="flex gap-1 sm:justify-end">
                <IconButton
                  icon="edit"
                  label={t('servers.renameNamed', { name: node.name })}
                  onClick={() => open({ kind: 'rename', node })}
                />
                {!node.isLocal && (
                  <>
                    <IconButton
                      icon="key"
                      label={t('servers.rotateNamed', { name: node.name })}
                      onClick={() => open({ kind: 'rotate', node })}
                    />
                    <IconButton
                      icon="trash"
                      label={t('servers.removeNamed', { name: node.name })}
                      onClick={() => open({ kind: 'remove', node })}
                    />
                  </>
                )}
              </div>
            ),
          },
        ]
      : []),
  ];
}

/** The machines that run backups, with their live state. */
export default function ServersPage() {
  const user = useUser();
  const query = useNodes();
  const [opened, setOpened] = useState<Opened>(null);
  const close = () => setOpened(null);
  const add = user.can('admin') && (
    <Link to={paths.newServer} className={buttonClass('primary')}>
      <Icon name="plus" />
      {t('servers.add')}
    </Link>
  );
  return (
    <>
      <PageHeader title={t('nav.servers')} note={t('servers.note')} actions={add} />
      <Card flush>
        <QueryView query={query}>
          {(nodes) => (
            <>
              <DataTable
                label={t('nav.servers')}
                columns={columns(user.can('admin'), setOpened)}
                rows={nodes}
                rowKey={(node) => node.id}
              />
              {nodes.length <= 1 && (
                <div className="border-t border-line">
                  <EmptyState
                    icon="servers"
                    title={t('servers.onlyThis')}
                    text={t('servers.onlyThisText')}
                    action={add}
                  />
                </div>
              )}
            </>
          )}
        </QueryView>
      </Card>
      {opened?.kind === 'rename' && <RenameNode node={opened.node} onClose={close} />}
      {opened?.kind === 'rotate' && <RotateToken node={opened.node} onClose={close} />}
      {opened?.kind === 'remove' && <RemoveNode node={opened.node} onClose={close} />}
    </>
  );
}
