import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useChange } from '../api/queries.ts';
import { t } from '../i18n/i18n.ts';
import { Button } from '../ui/Button.tsx';
import { ChoiceCards } from '../ui/Field.tsx';
import { ConfirmDialog } from './ConfirmDialog.tsx';
import { paths } from './paths.ts';

/** Starts a verification of a record and goes to its page. */
export function VerifyButton({ recordId }: { recordId: number }) {
  const navigate = useNavigate();
  const [isOpen, setOpen] = useState(false);
  const [mode, setMode] = useState<'quick' | 'deep'>('quick');
  const start = useChange('verifications.startForRecord', ['verifications', 'record', 'records']);
  return (
    <>
      <Button icon="shield" onClick={() => setOpen(true)}>
        {t('verify.action')}
      </Button>
      {isOpen && (
        <ConfirmDialog
          open
          onClose={() => setOpen(false)}
          title={t('verify.title')}
          confirm={t('verify.start')}
          kind="primary"
          busy={start.isPending}
          error={start.error}
          onConfirm={() =>
            start.mutate(
              { params: { id: recordId }, body: { mode } },
              { onSuccess: ({ id }) => void navigate({ to: paths.verification(id) }) },
            )
          }
        >
          <ChoiceCards
            legend={t('verify.mode')}
            value={mode}
            onChange={(value) => setMode(value === 'deep' ? 'deep' : 'quick')}
            choices={[
              { value: 'quick', label: t('verify.quick'), help: t('verify.quickHelp') },
              { value: 'deep', label: t('verify.deep'), help: t('verify.deepHelp') },
            ]}
          />
        </ConfirmDialog>
      )}
    </>
  );
}
