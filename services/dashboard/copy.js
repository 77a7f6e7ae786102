// The page's files that no compiler makes, put beside those that it did. Part of `npm run build`.
import { cpSync } from 'node:fs';

for (const name of ['index.html', 'style.css', 'icon.svg']) {
  cpSync(
    new URL(`./web/${name}`, import.meta.url),
    new URL(`../../dist/services/dashboard/web/${name}`, import.meta.url),
  );
}
