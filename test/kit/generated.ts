/** Every file of the repository that is made from lab files and from their schema: its path, and what it must hold. */
import { join } from 'node:path';
import { composeYaml } from '../../shared/lab/compose.ts';
import { listLabs, loadLab } from '../../shared/lab/find.ts';
import { labJsonSchemaText } from '../../shared/lab/json-schema.ts';
import { labReference } from '../../shared/lab/reference.ts';

/** The lab that `docker compose up` brings up at the top of the repository. */
const LAB_AT_TOP = 'url-to-page';
const COMMAND = 'npm run generate';

export function generatedFiles(root: string): Map<string, string> {
  const files = new Map<string, string>([['shared/lab/lab.schema.json', labJsonSchemaText()]]);
  const labsFolder = join(root, 'labs');
  const labs = listLabs(labsFolder);
  files.set('labs/README.md', labReference(labs));
  for (const { name: lab } of labs) {
    const plan = loadLab(lab, { labsFolder, cwd: root });
    const file = `labs/${lab}/compose.yaml`;
    files.set(file, composeYaml(plan, { lab, root: '../..', labFolder: '.', file }));
    if (lab !== LAB_AT_TOP) continue;
    const top = { lab, root: '.', labFolder: `./labs/${lab}`, file: 'compose.yaml', command: COMMAND };
    files.set('compose.yaml', composeYaml(plan, top));
  }
  return files;
}
