import { listCases } from './cases.js';
import { readReport } from './report.js';
import { describeRun } from './summary.js';
import { writeTable } from './table.js';

// Writes the table from the report of the last run. A change of table.ts needs no new run.

const cases = listCases();
const results = readReport(cases);
console.log(
  describeRun(cases, results, {
    minutes: Number.NaN,
    lost: Number.NaN,
    showFailures: process.argv.includes('--failures'),
  }),
);
writeTable(cases, results);
