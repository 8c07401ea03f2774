import { useState } from 'react';
import { currentTheme, setTheme, type Theme } from '../api/preferences.ts';
import { currentLocale, type Locale, locales, t } from '../i18n/i18n.ts';
import { Icon, type IconName } from '../ui/Icon.tsx';
import { changeLocale } from './use-locale.ts';

const themes: readonly { id: Theme; icon: IconName }[] = [
  { id: 'system', icon: 'monitor' },
  { id: 'light', icon: 'sun' },
  { id: 'dark', icon: 'moon' },
];

/** Theme and language; works signed in and out. */
export function Preferences() {
  const [theme, showTheme] = useState(currentTheme);
  return (
    <div className="flex flex-wrap items-center gap-2">
      <fieldset className="flex rounded-lg border border-line bg-surface p-0.5">
        <legend className="sr-only">{t('theme.label')}</legend>
        {themes.map(({ id, icon }) => (
          <button
            key={id}
            type="button"
            aria-pressed={theme === id}
            aria-label={t(`theme.${id}`)}
            title={t(`theme.${id}`)}
            onClick={() => {
              setTheme(id);
              showTheme(id);
            }}
            className={`grid h-7 w-8 place-items-center rounded-md ${theme === id ? 'bg-raised text-ink' : 'text-ink-3 hover:text-ink'}`}
          >
            <Icon name={icon} size={15} />
          </button>
        ))}
      </fieldset>
      <label className="relative flex items-center">
        <span className="sr-only">{t('language.label')}</span>
        <Icon name="globe" size={15} className="pointer-events-none absolute left-2 text-ink-3" />
        <select
          value={currentLocale()}
          onChange={(event) => void changeLocale(event.target.value as Locale)}
          className="h-8 appearance-none rounded-lg border border-line bg-surface pr-3 pl-7.5 text-[13px] text-ink-2"
        >
          {locales.map((locale) => (
            <option key={locale.id} value={locale.id} lang={locale.id}>
              {locale.name}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}
