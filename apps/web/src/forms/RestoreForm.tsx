import { useState } from 'react';
import { useNodes } from '../api/queries.ts';
import type { Node, OverwriteMode } from '../api/types.ts';
import { ConfirmDialog } from '../components/ConfirmDialog.tsx';
import { type Basket, toggleEntry } from '../components/ContentsBrowser.tsx';
import { DirectoryPicker } from '../components/DirectoryPicker.tsx';
import { ErrorBox } from '../components/ErrorBox.tsx';
import { formatBytes } from '../i18n/format.ts';
import { t } from '../i18n/i18n.ts';
import { Button, IconButton } from '../ui/Button.tsx';
import { Callout, Card } from '../ui/Card.tsx';
import { CheckField, type Choice, ChoiceCards, SelectField, TextField } from '../ui/Field.tsx';
import { folderBeside } from './restore-target.ts';
import { type RestoreSource, useStartRestore } from './use-start-restore.ts';

/** The field is narrower than most paths, and their end is what matters. */
const wholePath = (path: string) => (path.length > 22 ? <span className="font-mono">{path}</span> : undefined);

const questionWords = (dryRun: boolean) =>
  dryRun
    ? { title: t('restore.dryRunQuestion'), confirm: t('restore.startDryRun') }
    : { title: t('restore.reviewTitle'), confirm: t('restore.start') };

type Place = 'beside' | 'original' | 'other';

/** What was chosen; nothing means everything. */
export function BasketList({
  basket,
  onChange,
  empty = t('restore.basketEmpty'),
}: {
  basket: Basket;
  onChange: (basket: Basket) => void;
  empty?: string;
}) {
  if (basket.size === 0) return <p className="text-ink-2">{empty}</p>;
  const bytes = [...basket.values()].reduce((sum, entry) => sum + (entry.type === 'file' ? entry.size : 0), 0);
  return (
    <>
      <ul className="max-h-48 space-y-1 overflow-y-auto">
        {[...basket.values()].map((entry) => (
          <li key={entry.path} className="flex items-center gap-2">
            <span className="min-w-0 flex-1 truncate font-mono text-[13px]" title={entry.path}>
              {entry.path}
            </span>
            <IconButton
              icon="x"
              small
              label={t('restore.basketRemove', { name: entry.name })}
              onClick={() => onChange(toggleEntry(basket, entry))}
            />
          </li>
        ))}
      </ul>
      <p className="mt-2 text-[13px] text-ink-3">
        {t('restore.basketCount', { count: basket.size })}
        {bytes > 0 && ` · ${formatBytes(bytes)}`}
      </p>
    </>
  );
}

const nameOfNode = (nodes: readonly Node[] | undefined, id: number) => nodes?.find((node) => node.id === id)?.name;

const localNodeOf = (nodes: readonly Node[] | undefined) => nodes?.find((node) => node.isLocal)?.id ?? 1;

const whereToWords = (folder: string, node: string) =>
  folder ? t('restore.toFolder', { folder, node }) : t('restore.toOriginal', { node });

/** What will happen, in four lines, before it does. */
function Review({
  chosen,
  whereTo,
  overwrite,
  source,
}: {
  chosen: number;
  whereTo: string;
  overwrite: OverwriteMode;
  source: RestoreSource;
}) {
  return (
    <ul className="list-disc space-y-1.5 pl-5 [overflow-wrap:anywhere]">
      <li>{chosen > 0 ? t('restore.basketCount', { count: chosen }) : t('restore.everything')}</li>
      <li>{whereTo}</li>
      <li>{t(`overwriteLong.${overwrite}`)}</li>
      <li>{source.snapshot ? t('restore.verifiedSnapshot') : t('restore.verified')}</li>
    </ul>
  );
}

function FolderField({
  value,
  onChange,
  problem,
  onBrowse,
}: {
  value: string;
  onChange: (folder: string) => void;
  problem: string;
  onBrowse: () => void;
}) {
  return (
    <TextField
      label={t('restore.folder')}
      value={value}
      onChange={onChange}
      error={problem || undefined}
      help={wholePath(value)}
      className="font-mono text-[13px]"
      spellCheck={false}
      end={
        <Button icon="folder" onClick={onBrowse}>
          {t('picker.browse')}
        </Button>
      }
    />
  );
}

/** Files of a snapshot that somebody else made may have come from anywhere: they have no original place here. */
function placeChoices(source: RestoreSource): readonly Choice[] {
  const choices = [
    { value: 'beside', label: t('restore.beside'), help: t('restore.besideHelp') },
    { value: 'other', label: t('restore.other') },
  ];
  if (source.recordId === null) return choices;
  return [...choices, { value: 'original', label: t('restore.original'), help: t('restore.originalHelp') }];
}

/** On which server, and what becomes of files that exist there. */
function ServerAndMode({
  nodeId,
  onNode,
  overwrite,
  onOverwrite,
}: {
  nodeId: number;
  onNode: (id: number) => void;
  overwrite: OverwriteMode;
  onOverwrite: (mode: OverwriteMode) => void;
}) {
  const nodes = useNodes();
  return (
    <>
      <SelectField
        label={t('restore.onServer')}
        value={String(nodeId)}
        onChange={(value) => onNode(Number(value))}
        options={(nodes.data ?? []).map((item) => ({
          value: String(item.id),
          label: item.status === 'online' ? item.name : t('task.serverOffline', { name: item.name }),
          disabled: item.status !== 'online',
        }))}
      />
      <SelectField
        label={t('restore.existing')}
        value={overwrite}
        onChange={(value) => onOverwrite(value as OverwriteMode)}
        options={(['never', 'if_newer', 'always'] as const).map((id) => ({
          value: id,
          label: t(`overwrite.${id}`),
        }))}
      />
    </>
  );
}

/** What was chosen, where it goes, what happens to existing files; review before it starts. */
export function RestoreForm({
  source,
  basket,
  onChange,
}: {
  source: RestoreSource;
  basket: Basket;
  onChange: (basket: Basket) => void;
}) {
  const nodes = useNodes();
  const [place, setPlace] = useState<Place>('beside');
  const [beside, setBeside] = useState<string | null>(null);
  const [other, setOther] = useState('');
  const [chosenNode, setNodeId] = useState(source.nodeId);
  const [overwrite, setOverwrite] = useState<OverwriteMode>('never');
  const [dryRun, setDryRun] = useState(false);
  const [isPicking, setPicking] = useState(false);
  const [isReviewing, setReviewing] = useState(false);
  const [problem, setProblem] = useState('');
  const restore = useStartRestore(source);
  const nodeId = chosenNode || localNodeOf(nodes.data);
  const typed = place === 'beside' ? (beside ?? folderBeside(source.path, source.at)) : other;
  const folder = place === 'original' ? '' : typed.trim();
  const nodeName = nameOfNode(nodes.data, nodeId) ?? source.nodeName;
  const replacesOriginals = place === 'original' && overwrite !== 'never' && !dryRun;
  const review = () => {
    const isWrong = place !== 'original' && !folder.startsWith('/');
    setProblem(isWrong ? t('first.folderRule') : '');
    setReviewing(!isWrong);
  };
  const start = () =>
    restore.start({
      targetPath: folder,
      ...(basket.size > 0 ? { paths: [...basket.keys()] } : {}),
      ...{ nodeId, overwrite, dryRun },
    });
  return (
    <div className="space-y-5 lg:sticky lg:top-8">
      <Card title={t('restore.basket')}>
        <BasketList basket={basket} onChange={onChange} />
      </Card>
      <Card title={t('restore.destination')}>
        <div className="space-y-4">
          <ChoiceCards
            legend={t('restore.place')}
            value={place}
            onChange={(value) => setPlace(value as Place)}
            choices={placeChoices(source)}
          />
          {place !== 'original' && (
            <FolderField
              value={typed}
              onChange={place === 'beside' ? setBeside : setOther}
              problem={problem}
              onBrowse={() => setPicking(true)}
            />
          )}
          <ServerAndMode nodeId={nodeId} onNode={setNodeId} overwrite={overwrite} onOverwrite={setOverwrite} />
          {source.snapshot && (
            <CheckField
              label={t('restore.dryRun')}
              help={t('restore.dryRunHelp')}
              checked={dryRun}
              onChange={setDryRun}
            />
          )}
          {replacesOriginals && <Callout tone="warn" icon="alert" title={t('restore.overwriteWarning')} />}
          <ErrorBox error={isReviewing ? null : restore.error} />
          <Button kind="primary" icon="restore" className="w-full" onClick={review}>
            {t('restore.review')}
          </Button>
        </div>
      </Card>
      {isPicking && (
        <DirectoryPicker
          nodeId={nodeId}
          nodeName={nodeName}
          start={other || '/'}
          foldersOnly
          onClose={() => setPicking(false)}
          onPick={(path) => {
            setPlace('other');
            setOther(path);
            setPicking(false);
          }}
        />
      )}
      <ConfirmDialog
        open={isReviewing}
        onClose={() => setReviewing(false)}
        {...questionWords(dryRun)}
        kind={replacesOriginals ? 'danger' : 'primary'}
        busy={restore.isPending}
        error={restore.error}
        typeToConfirm={replacesOriginals ? source.name : undefined}
        onConfirm={start}
      >
        <Review chosen={basket.size} whereTo={whereToWords(folder, nodeName)} overwrite={overwrite} source={source} />
      </ConfirmDialog>
    </div>
  );
}
