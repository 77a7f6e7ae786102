// Sum of a vitest JSON report: `PASSED FAILED`, where a skipped test counts as failed.
import { readFileSync } from 'node:fs';

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const bad =
  report.numTotalTests -
  report.numPassedTests +
  report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0).length;
console.log(`${report.numPassedTests} ${bad}`);
