/** Every file of the repository that is made from others, from lab files mostly: its path, and what it must hold. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { composeYaml } from '../../shared/lab/compose.ts';
import { listLabs, loadLab } from '../../shared/lab/find.ts';
import { labJsonSchemaText } from '../../shared/lab/json-schema.ts';
import { labReference } from '../../shared/lab/reference.ts';
import { scenarioReference } from '../../shared/lab/scenario-reference.ts';
import { judgeProject, requirementTable } from '../requirements/project.ts';

/** The lab that `docker compose up` brings up at the top of the repository. */
const LAB_AT_TOP = 'url-to-page';
const COMMAND = 'npm run generate';

export function generatedFiles(root: string): Map<string, string> {
  const files = new Map<string, string>([['shared/lab/lab.schema.json', labJsonSchemaText()]]);
  files.set('README.md', readmeOf(root));
  files.set('examples/chaos-test/SCENARIOS.md', scenarioReference());
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

/** README.md, with the table of what is asked and ticked as it is now. */
function readmeOf(root: string): string {
  const table = requirementTable(judgeProject().verdicts);
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  return readme.replace(/(<!-- requirements -->\n)[\s\S]*?(<!-- \/requirements -->)/, `$1${table}\n$2`);
}
