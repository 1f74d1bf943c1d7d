/** `npm run demo -- pools`: raises a lab of its own with a transit router, runs the demo of pools in it, takes it away. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readDemoArgs } from "../../src/lab/demo/arguments.js";
import { playDemo, showUsage } from "../../src/lab/demo/stage.js";
import { checkPools } from "./checks.js";
import { writeConfigs } from "./configs.js";
import { drawPools } from "./picture.js";
import { poolsDocument, poolsReport } from "./report.js";
import { runPoolsDemo } from "./run.js";

const USAGE = `usage: npm run demo -- pools [--json] [--picture FILE] [--prefix NAME] [--keep DIR]
  --json          print one JSON document and nothing else on stdout
  --picture FILE  draw the run there, as SVG
  --prefix NAME   name of the demo's own lab (default sluice-pools)
  --keep DIR      keep captures, configurations, logs and the telephones' files there
`;
const COMMAND = "npm run demo -- pools --picture";

const root = fileURLToPath(new URL("../../../..", import.meta.url));
const args = readDemoArgs("sluice-pools", ["picture"]);
if (args === undefined) showUsage(USAGE);
else {
  const { picture } = args.own;
  await playDemo(args, {
    root,
    prepare: async (work) => {
      const configs = join(work, "configs");
      writeConfigs(root, configs);
      return ["--transit", "--configs", configs];
    },
    run: async (stage) => {
      const evidence = await runPoolsDemo({ ...stage, root });
      if (picture !== undefined) writeFileSync(picture, drawPools(evidence, COMMAND));
      return evidence;
    },
    check: checkPools,
    report: poolsReport,
    document: poolsDocument,
    keepsLogs: true,
  });
}
