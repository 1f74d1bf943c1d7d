/** `npm run demo`: raises a lab of its own, runs the demo in it, prints what it showed, takes the lab away. */
import { fileURLToPath } from "node:url";
import { readDemoArgs, readSeconds } from "./demo/arguments.js";
import { checkEvidence } from "./demo/checks.js";
import { demoDocument } from "./demo/document.js";
import { demoReport } from "./demo/report.js";
import { runDemo } from "./demo/run.js";
import { playDemo, showUsage } from "./demo/stage.js";

const USAGE = `usage: npm run demo -- [--json] [--seconds N] [--prefix NAME] [--keep DIR]
  --json         print one JSON document and nothing else on stdout
  --seconds N    length of each call's media (default 10)
  --prefix NAME  name of the demo's own lab (default sluice-demo)
  --keep DIR     keep the captures there
`;

const args = readDemoArgs("sluice-demo", ["seconds"]);
const seconds = readSeconds(args?.own.seconds, 6, 60);
if (args === undefined || seconds === undefined) showUsage(USAGE);
else {
  await playDemo(args, {
    root: fileURLToPath(new URL("../..", import.meta.url)),
    run: ({ lab, work, progress }) => runDemo({ lab, seconds, captures: work, progress }),
    check: checkEvidence,
    report: demoReport,
    document: demoDocument,
  });
}
