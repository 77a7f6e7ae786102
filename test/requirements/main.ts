/** npm run requirements -- [--verbose]: what is asked, which test ticks it, and what is wrong with the lists. */
import { judgeProject, requirementTable } from './project.ts';

const { verdicts, problems } = judgeProject();
if (process.argv.includes('--verbose')) {
  for (const { list, ticked } of verdicts) {
    console.log(`${list.about}\n`);
    for (const { id, sentence, linux } of list.requirements) {
      console.log(`  ${id}${sentence === '' ? '' : `  ${sentence}`}`);
      if (linux !== undefined) console.log(`    Linux does otherwise: ${linux}`);
      for (const tick of ticked.get(id) ?? []) console.log(`    ${tick.file}:${tick.line}  ${tick.title}`);
    }
    console.log('');
  }
}
console.log(requirementTable(verdicts));
for (const problem of problems) console.error(problem);
process.exitCode = problems.length === 0 ? 0 : 1;
