/**
 * From log-in to media between two SIPp agents, each at its provider, in the lab: REGISTER with a password, INVITE with a
 * negotiated class, and the ACK at the callee, by which both sides are reserved and both agents may send; told from captures
 * at both. The first RTP packet is told beside it, without a goal: SIPp's thread for streams starts up to 0.3 s after it is asked to.
 * The baseline is the same without a class: a call that nothing is reserved for, in a run before.
 */
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseDocument } from "yaml";
import { type Datagram, readDatagram } from "../src/lab/datagram.js";
import type { Lab } from "../src/lab/lab.js";
import { readCapture } from "../src/lab/pcap.js";
import { median, p99Of, printFigure, rounded } from "./figure.js";
import { FAST_GAME, GAME_CONFIGS, inGameLab, ROOT } from "./game-lab.js";

const CALLS = Number(process.env.BENCH_ROUNDS ?? 60);
/** Teach the servers' compilers. */
const WARM_UP = 15;
const GOAL_MS = 50;
/** Of media in each call: longer than the thread needs that sends them. */
const TALK_MS = 600;
const PATIENCE_S = 30 + CALLS + WARM_UP;
const PASSWORD = "in-the-bench";

interface Telephone {
  readonly host: "uac" | "uas";
  readonly user: string;
  readonly domain: string;
  readonly address: string;
  readonly proxy: string;
}

const CALLER: Telephone = {
  ...{ host: "uac", user: "sipp1", domain: "a.example", address: "10.1.0.10", proxy: "10.1.0.5:5060" },
};
const CALLEE: Telephone = {
  ...{ host: "uas", user: "sipp2", domain: "b.example", address: "10.3.0.10", proxy: "10.3.0.5:5060" },
};

/**
 * Those of the game's lab, with an account for each telephone, and its place, from which calls need no further proof. SIPp knows MD5
 * only.
 */
function writeConfigs(directory: string): string {
  const configs = join(directory, "configs");
  cpSync(GAME_CONFIGS, configs, { recursive: true });
  for (const [file, { user, domain, address }] of [["sip1", CALLER] as const, ["sip2", CALLEE] as const]) {
    const ha1 = createHash("md5").update(`${user}:${domain}:${PASSWORD}`).digest("hex");
    const accounts = join(configs, `${file}-accounts.yaml`);
    writeFileSync(accounts, JSON.stringify({ accounts: [{ user, domain, ha1: { MD5: ha1 } }] }), { mode: 0o600 });
    const path = join(configs, `${file}.yaml`);
    const document = parseDocument(readFileSync(path, "utf8"));
    document.setIn(["sip", "accounts"], accounts);
    document.setIn(["sip", "registrar"], { algorithms: ["MD5"] });
    document.setIn(["sip", "users", user], `sip:${user}@${address}:5070`);
    writeFileSync(path, document.toString());
  }
  return configs;
}

interface Run {
  readonly lab: Lab;
  /** Directory for the agents' files. */
  readonly work: string;
  readonly quality: string;
}

function sipp({ lab, work, quality }: Run, own: Telephone, scenario: string, calls: number): Promise<string> {
  const directory = join(work, own.host);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "media.ulaw"), Buffer.alloc(8 * TALK_MS, 0xd5));
  const other = own === CALLER ? CALLEE : CALLER;
  const keys = { own: own.user, own_domain: own.domain, other: other.user, other_domain: other.domain };
  const command = [
    ...["sipp", "-sf", join(ROOT, `bench/sipp/${scenario}.xml`), own.proxy, "-i", own.address, "-mi", own.address],
    // Without the URI the digest would be of the proxy's address, which is not what is asked for.
    ...["-au", own.user, "-ap", PASSWORD, "-auth_uri", own.domain],
    ...["-p", "5070", "-mp", "6000", "-m", `${calls}`, "-l", "1", "-r", "1", "-rp", "50", "-d", `${TALK_MS}`],
    ...["-timeout", `${PATIENCE_S}s`, "-timeout_error", "-nostdin", "-default_behaviors", "none"],
    ...Object.entries({ ...keys, quality }).flatMap(([name, value]) => ["-key", name, value]),
    ...["-trace_err", "-error_file", `${scenario}.err`],
  ];
  return lab.exec(own.host, ["env", "-C", directory, "nice", "-n", "-5", ...command]);
}

interface Seen extends Datagram {
  readonly at: number;
}

function datagrams(path: string): readonly Seen[] {
  const { linkType, frames } = readCapture(readFileSync(path));
  return frames.flatMap(({ at, bytes }) => {
    const datagram = readDatagram(linkType, bytes);
    return datagram === undefined ? [] : [{ ...datagram, at }];
  });
}

/** Milliseconds, sorted; one for each call. */
interface SetUps {
  /** From the first REGISTER, and from the INVITE, to the ACK at the callee. */
  readonly logInToAck: readonly number[];
  readonly inviteToAck: readonly number[];
  /** From the first REGISTER to the first RTP packet at the callee. */
  readonly logInToMedia: readonly number[];
}

async function setUps(run: Run): Promise<SetUps> {
  const { lab, work } = run;
  const captures = await Promise.all(
    [CALLER, CALLEE].map(async ({ host }) => {
      const path = join(work, `${host}.pcap`);
      const filter = ["udp", "port", "5070", "or", "(udp", "portrange", "6000-6099)"];
      const tcpdump = lab.spawn(host, ["tcpdump", "-i", "eth0", "-n", "-U", "-Z", "root", "-w", path, ...filter]);
      await tcpdump.said("listening on");
      return { path, tcpdump };
    }),
  );
  await sipp(run, CALLEE, "register", 1);
  const answering = sipp(run, CALLEE, "callee", WARM_UP + CALLS);
  await sipp(run, CALLER, "caller", WARM_UP + CALLS);
  await answering;
  await Promise.all(captures.map(({ tcpdump }) => tcpdump.stop()));
  const [atCaller = [], atCallee = []] = captures.map(({ path }) => datagrams(path));
  return timesOf(atCaller, atCallee);
}

const says = (text: string) => (datagram: Seen) => datagram.payload.toString("latin1").startsWith(text);

/** Calls come one after another: what follows a log-in belongs to it. */
function timesOf(atCaller: readonly Seen[], atCallee: readonly Seen[]): SetUps {
  const logIns = atCaller.filter((one) => says("REGISTER ")(one) && /CSeq: 1 /.test(one.payload.toString("latin1")));
  const invites = atCaller.filter(says("INVITE "));
  const acks = atCallee.filter(says("ACK "));
  const media = atCallee.filter(({ source, payload }) => source === CALLER.address && payload[0] === 0x80);
  const times = logIns.slice(WARM_UP).map(({ at }) => {
    const next = (all: readonly Seen[]): number => all.find((one) => one.at > at)?.at ?? Number.NaN;
    return { logIn: at, invite: next(invites), ack: next(acks), media: next(media) };
  });
  if (times.length !== CALLS || times.some((one) => Object.values(one).some(Number.isNaN))) {
    throw new Error(`${logIns.length} calls were seen, not all of them with media`);
  }
  const sorted = (values: readonly number[]) => values.toSorted((one, other) => one - other);
  return {
    logInToAck: sorted(times.map(({ logIn, ack }) => ack - logIn)),
    inviteToAck: sorted(times.map(({ invite, ack }) => ack - invite)),
    logInToMedia: sorted(times.map(({ logIn, media: at }) => at - logIn)),
  };
}

const NAMES = {
  logInToAck: "REGISTER to the ACK at the callee",
  inviteToAck: "INVITE to the ACK at the callee",
  logInToMedia: "REGISTER to SIPp's first packet at the callee",
} as const;

function report(negotiated: SetUps, plain: SetUps): void {
  for (const [of, name] of Object.entries(NAMES) as [keyof SetUps, string][]) {
    const [value, baseline] = [median(negotiated[of]), median(plain[of])];
    const p99 = p99Of(negotiated[of]);
    const isSipps = of === "logInToMedia";
    printFigure({
      bench: "negotiate",
      figure: `SIPp: ${name}, negotiated ${FAST_GAME}, p50 of ${CALLS} (p99 ${rounded(p99)} ms)`,
      value: rounded(value),
      unit: "ms",
      baseline: rounded(baseline),
      ratio: rounded(baseline / value),
      goal: isSipps ? "none: SIPp's own time" : `<= ${GOAL_MS} ms`,
      ok: isSipps ? Number.isFinite(value) : value <= GOAL_MS,
    });
  }
}

const work = mkdtempSync(join(tmpdir(), "sluice-bench-sipp-"));
try {
  await inGameLab(
    "sipp",
    async (lab) => {
      const run = (quality: string): Promise<SetUps> => setUps({ lab, work, quality });
      const plain = await run("sendrecv");
      report(await run(`sluice-class:${FAST_GAME}`), plain);
    },
    writeConfigs(work),
  );
} finally {
  rmSync(work, { recursive: true, force: true });
}
