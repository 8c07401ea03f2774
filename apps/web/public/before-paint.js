// Sets theme and language before the first paint; a file of its own so that the policy can stay "script-src 'self'".
(() => {
  const root = document.documentElement;
  let theme = null;
  let locale = null;
  try {
    theme = localStorage.getItem('backupx.theme');
    locale = localStorage.getItem('backupx.locale');
  } catch {
    // Storage may be switched off; the system's choice is a good one then.
  }
  const dark = theme === 'dark' || (theme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  root.dataset.theme = dark ? 'dark' : 'light';
  root.lang = locale || (navigator.language.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en');
})();
