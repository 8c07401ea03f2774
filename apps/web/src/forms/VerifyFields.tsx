import { t } from '../i18n/i18n.ts';
import { CheckField, SelectField, TextField } from '../ui/Field.tsx';

export interface VerifyValues {
  readonly verifyEnabled: boolean;
  readonly verifyCronExpr: string;
  readonly verifyMode: 'quick' | 'deep';
}

/** Whether, when and how the newest backup of a task is verified by itself. */
export function VerifyFields({
  values,
  onChange,
  error,
}: {
  values: VerifyValues;
  onChange: (values: VerifyValues) => void;
  error?: string;
}) {
  const { verifyEnabled, verifyCronExpr, verifyMode } = values;
  const of = (next: Partial<VerifyValues>) => onChange({ verifyEnabled, verifyCronExpr, verifyMode, ...next });
  return (
    <div className="space-y-4">
      <CheckField
        label={t('verify.scheduled')}
        checked={verifyEnabled}
        onChange={(checked) => of({ verifyEnabled: checked, verifyCronExpr: verifyCronExpr || '0 5 * * 0' })}
      />
      {verifyEnabled && (
        <div className="grid gap-4 sm:grid-cols-2">
          <TextField
            label={t('verify.when')}
            value={verifyCronExpr}
            onChange={(value) => of({ verifyCronExpr: value })}
            error={error}
          />
          <SelectField
            label={t('verify.mode')}
            value={verifyMode}
            onChange={(value) => of({ verifyMode: value === 'deep' ? 'deep' : 'quick' })}
            help={verifyMode === 'deep' ? t('verify.deepHelp') : t('verify.quickHelp')}
            options={[
              { value: 'quick', label: t('verify.quick') },
              { value: 'deep', label: t('verify.deep') },
            ]}
          />
        </div>
      )}
    </div>
  );
}
