/** The command line: verbs, options, and what becomes of errors. */
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { ROLES, type Role } from "../config/load.js";
import { SHOW_TOPICS, type ShowTopic } from "../control/views.js";
import { check } from "./check.js";
import { type CleanupOptions, cleanup } from "./cleanup.js";
import { describeError } from "./describe-error.js";
import { type DiffOptions, diff } from "./diff.js";
import { type DoctorOptions, doctor } from "./doctor.js";
import { explain } from "./explain.js";
import { type CliIo, EXIT, type OutputFormat } from "./io.js";
import { type ResizeOptions, resizePool } from "./pool.js";
import { type HistoryOptions, poolHistory } from "./pool-history.js";
import { type PasswdOptions, portalPasswd } from "./portal.js";
import { type WithdrawOptions, withdrawReservations } from "./reservations.js";
import type { TargetOptions } from "./roles.js";
import { type WatchOptions, watchRsvp } from "./rsvp-watch.js";
import { run } from "./run.js";
import { show } from "./show.js";
import { trace } from "./trace.js";

const DEFAULT_RUN_DIR = "/run/sluice";

/** Runs one command. @param args - without the names of node and script. @returns the exit code */
export async function runProgram(args: readonly string[], io: CliIo, version: string): Promise<number> {
  let code: number = EXIT.ok;
  const program = buildProgram(io, version, (result) => {
    code = result;
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return code;
  } catch (error) {
    // Commander has already said what was wrong; help and version are no errors.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.failed;
    io.err(describeError(error));
    return EXIT.failed;
  }
}

function buildProgram(io: CliIo, version: string, done: (code: number) => void): Command {
  const program = new Command("sluice")
    .description("Admits real-time sessions, and has the Linux kernel mark, police, schedule and count their packets.")
    .version(version)
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: io.out,
      writeErr: io.err,
      outputError: (text, write) => write(text.replace(/^error: /, "sluice: ")),
    });
  program
    .command("run")
    .description("run a role in the foreground")
    .argument("<role>", ROLES.join(", "), oneOf<Role>("role", ROLES))
    .requiredOption("-c, --config <file>", "the role's configuration file")
    .action(async (role: Role, options: { readonly config: string }) => done(await run(role, options.config, io)));
  program
    .command("check")
    .description("check configuration files without starting anything")
    .argument("<file...>", "configuration files")
    .action((files: readonly string[]) => done(check(files, io)));
  asking(program.command("show"), io)
    .description("show what the running roles hold")
    .argument("<what>", SHOW_TOPICS.join(", "), oneOf<ShowTopic>("view", SHOW_TOPICS))
    .action(async (what: ShowTopic, options: AskOptions) => done(await show(what, options, io)));
  asking(program.command("explain"), io)
    .description("tell why a session was admitted or refused")
    .argument("<session>", "the session's id or its Call-ID")
    .action(async (session: string, options: AskOptions) => done(await explain(session, options, io)));
  asking(program.command("trace"), io)
    .description("print the messages of a session in order, numbered by the session ladder")
    .argument("<session>", "the session's id or its Call-ID")
    .option("--hosts <map>", "addresses of hosts, such as UAC=10.1.0.10,UAS=10.3.0.10", collect, [])
    .action(async (session: string, options: AskOptions & { readonly hosts: string[] }) =>
      done(await trace(session, options, io)),
    );
  asking(program.command("doctor"), io)
    .description("look for what is wrong with this machine and the roles on it, and tell what mends it")
    .option("-c, --config <file>", "configuration of the role that is to run here")
    .option("--all", "list what is well, too")
    .action(async (options: DoctorOptions) => done(await doctor(options, io)));
  asking(program.command("diff"), io)
    .description("compare what a router wants with what the kernel holds: exit code 0 none, 1 differences, 2 error")
    .option("-c, --config <file>", "the router's configuration; compared itself where the router does not run")
    .option("--dry-run", "print exactly what would mend it, as commands for a shell")
    .action(async (options: DiffOptions) => done(await diff(options, io)));
  program
    .command("cleanup")
    .description("take everything of a router out of the kernel, and nothing else")
    .requiredOption("-c, --config <file>", "the router's configuration file")
    .option("--dry-run", "print exactly what would be run, and change nothing")
    .option("--force", "although the router is running")
    .addOption(outputOption())
    .action(async (options: CleanupOptions) => done(await cleanup(options, io)));
  addGroups(program, io, done);
  return program;
}

/** Verbs of two words. */
function addGroups(program: Command, io: CliIo, done: (code: number) => void): void {
  addPoolVerbs(program.command("pool").description("the pools of a policy server, and their past"), io, done);
  const reservations = program.command("reservations").description("what a policy server has granted routers");
  addReservationVerbs(reservations, io, done);
  addRsvpVerbs(program.command("rsvp").description("the reservations of routers"), io, done);
  program
    .command("portal")
    .description("the accounts of a portal")
    .command("passwd")
    .description("ask for a password, and print what stands for it in `password:` of the file of accounts")
    .option("--stdin", "read it from the first line of standard input")
    .action(async (options: PasswdOptions) => done(await portalPasswd(options, io)));
}

function addPoolVerbs(pool: Command, io: CliIo, done: (code: number) => void): void {
  asking(pool.command("resize"), io)
    .description("give a pool another rate until its policy server starts again; sessions beyond it are shed")
    .argument("<pool>", "the pool's name")
    .argument("<rate>", "such as '170 kbit/s', at layer 2, each direction")
    .option("--dry-run", "print which sessions would be shed, and change nothing")
    .action(async (name: string, rate: string, options: ResizeOptions) =>
      done(await resizePool(name, rate, options, io)),
    );
  asking(pool.command("history"), io)
    .description("show what was used, reserved and refused of a pool or link, at layer 2, in the direction with more")
    .argument("<pool>", "its name")
    .option("--since <time>", "how far back, such as '10 min'; up to '24 h'", "10 min")
    .option("--step <time>", "1 s (kept for 10 min), 10 s (3 h) or 1 min (24 h); chosen by --since if left out")
    .action(async (name: string, options: HistoryOptions) => done(await poolHistory(name, options, io)));
}

function addReservationVerbs(reservations: Command, io: CliIo, done: (code: number) => void): void {
  asking(reservations.command("withdraw"), io)
    .description(
      "take reservations of a router back, and refuse them for ten minutes: receivers ask again by themselves",
    )
    .requiredOption("--router <name>", "the router that made them")
    .option("--to <address>", "those to this destination only")
    .action(async (options: WithdrawOptions) => done(await withdrawReservations(options, io)));
}

function addRsvpVerbs(rsvp: Command, io: CliIo, done: (code: number) => void): void {
  asking(rsvp.command("watch"), io)
    .description("print what befalls reservations as it happens, until interrupted; with -o json a document a line")
    .option("--for <time>", "end after this time, such as '10 s'")
    .option("--count <lines>", "end after so many lines", positive)
    .action(async (options: WatchOptions) => done(await untilInterrupted((stop) => watchRsvp(options, io, stop))));
}

/** The first interrupt ends the work in order; the next one ends the process. */
async function untilInterrupted(work: (stop: AbortSignal) => Promise<number>): Promise<number> {
  const stop = new AbortController();
  const interrupt = (): void => stop.abort();
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  try {
    return await work(stop.signal);
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }
}

interface AskOptions extends TargetOptions {
  readonly output: OutputFormat;
}

/** The options of every verb that asks running roles. */
function asking(command: Command, io: CliIo): Command {
  return command
    .addOption(outputOption())
    .option("--socket <path>", "control socket of a role; may be given again", collect, [])
    .option("--run-dir <dir>", "directory of the control sockets", io.env.SLUICE_RUN_DIR ?? DEFAULT_RUN_DIR);
}

const outputOption = (): Option =>
  new Option("-o, --output <format>", "how to print").choices(["table", "json"]).default("table");

function positive(text: string): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value > 0) return value;
  throw new InvalidArgumentError("It has to be a whole number above 0.");
}

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

function oneOf<T extends string>(what: string, choices: readonly T[]): (text: string) => T {
  return (text) => {
    const found = choices.find((choice) => choice === text);
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`There is no such ${what}; choose one of ${choices.join(", ")}.`);
  };
}
