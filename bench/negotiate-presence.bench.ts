/**
 * What a portal pays for presence: 1,000 users with an open page each, over TLS. The portal is a process of its own, and all
 * of its processor time is counted; so is the directory, whose time is told besides. Users change their state ten times a second,
 * two a second go and come back; the directory is told of everybody each 20 s and tells of comings and goings as they happen, and
 * the policy server is asked once a second for 100 sessions. The baseline is the same portal, or directory, at rest: what open
 * pages, their upkeep and the policy server cost by themselves.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { ControlServer } from "../src/control/server.js";
import { SILENT_LOGGER } from "../src/model/log.js";
import { type Figure, printFigure, rounded } from "./figure.js";
import type { DirectorySetting } from "./presence/directory-process.js";
import { MeasuredProcess } from "./presence/measured-process.js";
import type { PortalSetting } from "./presence/portal-process.js";
import { Crowd, ORIGIN, PASSWORD } from "./presence/users.js";

const USERS = 1000;
const WINDOW_S = Number(process.env.BENCH_SECONDS ?? 30);
const SETTLE_S = 8;
const CHANGES_PER_SECOND = 10;
/** The directory is told of everybody once in this time. */
const REFRESH_S = 20;
const GOAL_PERCENT = 20;
const GOAL_DELAY_MS = 1500;
const SESSIONS = 100;

const sessionViews = Array.from({ length: SESSIONS }, (_, index) => ({
  session: index.toString(16).padStart(16, "0"),
  callId: `call${index}@a.example`,
  caller: `u${index}@a.example`,
  callee: `x${index}@b.example`,
  state: "reserved",
  since: 1,
}));

/** What the portal's process finds in its folder. */
async function furnish(folder: string): Promise<void> {
  mkdirSync(join(folder, "pages", "assets"), { recursive: true });
  for (const name of ["index.html", "favicon.svg"]) writeFileSync(join(folder, "pages", name), name);
  const [key, crt] = [join(folder, "key"), join(folder, "crt")];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost"];
  await execa("openssl", ["req", "-x509", ...kind, "-keyout", key, "-out", crt]);
}

/** What both processes spent, in percent of a core; and how often the directory was told of a user, and told who is there. */
interface Load {
  readonly portal: number;
  readonly directory: number;
  readonly puts: number;
  readonly lists: number;
}

async function measured(
  portal: MeasuredProcess,
  directory: MeasuredProcess,
  during: () => Promise<unknown>,
): Promise<Load> {
  const both = () => Promise.all([portal.spent(), directory.spent()]);
  const [before, started] = [await both(), performance.now()];
  await during();
  const [after, elapsed] = [await both(), 1000 * (performance.now() - started)];
  const part = (nth: 0 | 1): number => (100 * (after[nth].processor - before[nth].processor)) / elapsed;
  const more = (name: string): number => (after[1].counts[name] ?? 0) - (before[1].counts[name] ?? 0);
  return { portal: part(0), directory: part(1), puts: more("puts"), lists: more("lists") };
}

async function observe(portal: MeasuredProcess, directory: MeasuredProcess): Promise<void> {
  const crowd = new Crowd(portal.port, USERS);
  try {
    await crowd.come();
    await sleep(SETTLE_S * 1000);
    const rest = await measured(portal, directory, () => sleep(WINDOW_S * 1000));
    crowd.frames = 0;
    const busy = await measured(portal, directory, () => crowd.churn(WINDOW_S, CHANGES_PER_SECOND));
    // One a second and page: nobody was left out to save time.
    if (crowd.frames < 0.8 * WINDOW_S * USERS) throw new Error(`only ${crowd.frames} frames were received`);
    if (busy.puts < 0.9 * USERS * Math.floor(WINDOW_S / REFRESH_S)) {
      throw new Error(`the directory was told of ${busy.puts} users only`);
    }
    if (busy.lists < WINDOW_S) throw new Error(`the directory told only ${busy.lists} times who is there`);
    // As many as there were changes, but those of the last second.
    const told = crowd.delays.length;
    if (told < 0.5 * WINDOW_S * CHANGES_PER_SECOND) throw new Error(`only ${told} changes were told`);
    report(
      rest,
      busy,
      crowd.delays.toSorted((one, other) => one - other),
    );
  } finally {
    crowd.leave();
  }
}

function report(rest: Load, busy: Load, delays: readonly number[]): void {
  const figure = (what: string) => `${what}, ${USERS} users on-line, ${CHANGES_PER_SECOND} changes/s`;
  const print = ({ figure: about, unit, value, baseline, goal, ok }: Omit<Figure, "bench" | "ratio">): void => {
    const told = { bench: "negotiate", figure: about, value: rounded(value), unit, baseline: rounded(baseline) };
    printFigure({ ...told, ratio: rounded(baseline / value), goal, ok });
  };
  print({
    figure: `${figure("portal")}, processor`,
    value: busy.portal,
    unit: "% of a core",
    baseline: rest.portal,
    goal: `<= ${GOAL_PERCENT} % of a core`,
    ok: busy.portal <= GOAL_PERCENT,
  });
  print({
    figure: `${figure("directory")}, processor`,
    value: busy.directory,
    unit: "% of a core",
    baseline: rest.directory,
    goal: "none",
    ok: Number.isFinite(busy.directory),
  });
  const at = (part: number): number => delays[Math.floor(delays.length * part)] ?? Number.NaN;
  print({
    figure: `${figure("portal")}, until a page knows, p99 against p50`,
    value: at(0.99),
    unit: "ms",
    baseline: at(0.5),
    goal: `<= ${GOAL_DELAY_MS} ms`,
    ok: at(0.99) <= GOAL_DELAY_MS,
  });
}

const folder = mkdtempSync(join(tmpdir(), "sluice-bench-presence-"));
const processes: MeasuredProcess[] = [];
async function start(name: string, setting: object): Promise<MeasuredProcess> {
  const started = await MeasuredProcess.start(new URL(`presence/${name}-process.js`, import.meta.url), setting);
  processes.push(started);
  return started;
}
const pdp = new ControlServer({
  path: join(folder, "pdp.sock"),
  routes: { "/v1/show/sessions": async () => sessionViews },
  log: SILENT_LOGGER,
});
try {
  await execa("ip", ["link", "set", "lo", "up"]);
  await furnish(folder);
  await pdp.listen();
  const directory = await start("directory", { folder } satisfies DirectorySetting);
  const directoryUrl = `http://127.0.0.1:${directory.port}/directory`;
  const setting = { folder, origin: ORIGIN, directoryUrl, users: USERS, password: PASSWORD };
  await observe(await start("portal", setting satisfies PortalSetting), directory);
} finally {
  for (const each of processes) each.end();
  await pdp.close();
  rmSync(folder, { recursive: true, force: true });
}
// Connections of pages may linger.
process.exit(0);
