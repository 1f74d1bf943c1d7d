/** `npm run demo -- game`: raises a lab of its own with portals, has two browsers negotiate and play in it, takes it away. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readDemoArgs, readSeconds } from "../../src/lab/demo/arguments.js";
import { playDemo, showUsage } from "../../src/lab/demo/stage.js";
import { checkGame } from "./checks.js";
import { gameDocument, gameReport } from "./report.js";
import { runGameDemo } from "./run.js";

const USAGE = `usage: npm run demo -- game [--json] [--seconds N] [--pictures DIR] [--prefix NAME] [--keep DIR]
  --json          print one JSON document and nothing else on stdout
  --seconds N     length of the game (default 10)
  --pictures DIR  where pictures of the session's page and of the operators' page are saved, as PNG (default docs/img)
  --prefix NAME   name of the demo's own lab (default sluice-game)
  --keep DIR      keep captures and logs there
`;

const root = fileURLToPath(new URL("../../../..", import.meta.url));
const args = readDemoArgs("sluice-game", ["seconds", "pictures"]);
const seconds = readSeconds(args?.own.seconds, 5, 60);
if (args === undefined || seconds === undefined) showUsage(USAGE);
else {
  const { pictures = join(root, "docs/img") } = args.own;
  await playDemo(args, {
    root,
    prepare: async () => {
      await mkdir(pictures, { recursive: true });
      return ["--configs", join(root, "configs/game"), "--portals"];
    },
    run: ({ lab, work, progress }) => runGameDemo({ lab, seconds, work, progress, pictures }),
    check: checkGame,
    report: gameReport,
    document: gameDocument,
    keepsLogs: true,
  });
}
