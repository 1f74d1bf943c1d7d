/**
 * From "Log in" at the caller's page to the game's packets at both players: two headless Chromiums, each at its provider's
 * portal in the lab, pressed by a script that loses no time. The callee is logged in, and accepts as soon as the page lets
 * people do so: the time that they are given to look is not counted. Baseline: the same without negotiated quality, in turn
 * with it. Both browsers and all servers share the machine's processors.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Browser } from "playwright-core";
import { type Stamps, Visit } from "./browser-player.js";
import { startChromium } from "./chromium.js";
import { median, printFigure, rounded } from "./figure.js";
import { FAST_GAME, inGameLab } from "./game-lab.js";

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 10);
const WARM_UP = 4;
const GOAL_MS = 1000;
const PORTALS = { uac: "https://10.1.0.8:8443/", uas: "https://10.3.0.8:8443/" } as const;
/** Between rounds: reservations and registrations have gone. */
const PAUSE_MS = 1000;

/** Milliseconds of one round. */
interface Round {
  readonly all: number;
  readonly logIn: number;
  readonly registration: number;
  readonly finding: number;
  readonly offer: number;
  readonly ringing: number;
  readonly session: number;
  readonly connection: number;
  readonly message: number;
}

const PARTS: Readonly<Record<Exclude<keyof Round, "all">, string>> = {
  logIn: "log-in: password (scrypt), page of the logged in",
  registration: "secure WebSocket and registration",
  finding: "the callee is seen, the invitation is filled in",
  offer: "invitation sent to offer: peer connection, ICE candidates",
  ringing: "offer to callee's page: INVITE by both providers",
  session: "accepted to in session at both: answer, reservations, ACK",
  connection: "ICE and DTLS at both, after that",
  message: "data channel and first packet at both, after that",
};

function roundOf(caller: Stamps, callee: Stamps): Round {
  const at = (stamps: Stamps, name: string): number => stamps[name] ?? Number.NaN;
  const both = (name: string): number => Math.max(at(caller, name), at(callee, name));
  const [session, message] = [both("inSession"), both("message")];
  const connected = Math.max(session, both("connected"));
  return {
    all: message - at(caller, "pressed") - (at(callee, "accepted") - at(callee, "rings")),
    logIn: at(caller, "loggedIn") - at(caller, "pressed"),
    registration: at(caller, "registered") - at(caller, "loggedIn"),
    finding: at(caller, "invited") - at(caller, "registered"),
    offer: at(caller, "gathered") - at(caller, "invited"),
    ringing: at(callee, "rings") - at(caller, "gathered"),
    session: session - at(callee, "accepted"),
    connection: connected - session,
    message: message - connected,
  };
}

async function play(browser: Browser, callee: Visit, isNegotiated: boolean): Promise<Round> {
  const caller = await Visit.open(browser, PORTALS.uac);
  await callee.forget();
  await caller.logIn("alice", "Bobby", isNegotiated);
  const wanted = ["inSession", "connected", "message"];
  const round = roundOf(await caller.stamps(...wanted), await callee.stamps(...wanted));
  await caller.says(isNegotiated ? "pol2.b.example" : "Nothing has been granted.");
  await caller.press("End session");
  await callee.says("ended");
  await caller.press("Log out");
  await caller.says("You are logged out.");
  await caller.close();
  await sleep(PAUSE_MS);
  return round;
}

function report(negotiated: readonly Round[], plain: readonly Round[]): void {
  const p50 = (rounds: readonly Round[], of: keyof Round): number =>
    median(rounds.map((round) => round[of]).toSorted((left, right) => left - right));
  const print = (of: keyof Round, figure: string, goal: string, ok: (value: number) => boolean): void => {
    const [value, baseline] = [p50(negotiated, of), p50(plain, of)];
    printFigure({
      bench: "negotiate",
      figure: `browsers, ${FAST_GAME}, p50 of ${negotiated.length}: ${figure}`,
      value: rounded(value),
      unit: "ms",
      baseline: rounded(baseline),
      ratio: rounded(baseline / value),
      goal,
      ok: ok(value),
    });
  };
  print("all", "log-in to packets of the game at both players", `<= ${GOAL_MS} ms`, (value) => value <= GOAL_MS);
  for (const [of, figure] of Object.entries(PARTS)) {
    print(of as keyof typeof PARTS, `of this, ${figure}`, "none: a part", Number.isFinite);
  }
}

await inGameLab("browsers", async (lab) => {
  const start = (host: string) => startChromium({ namespace: `${lab.prefix}-${host}` });
  const [uac, uas] = await Promise.all([start("uac"), start("uas")]);
  try {
    const callee = await Visit.open(uas.browser, PORTALS.uas);
    await callee.logIn("bob");
    await callee.stamps("registered");
    // The compilers of browsers and servers learn, and the directory tells of the callee.
    for (let nth = 0; nth < WARM_UP; nth++) await play(uac.browser, callee, nth % 2 === 0);
    const [negotiated, plain]: [Round[], Round[]] = [[], []];
    for (let nth = 0; nth < ROUNDS; nth++) {
      negotiated.push(await play(uac.browser, callee, true));
      plain.push(await play(uac.browser, callee, false));
    }
    report(negotiated, plain);
  } finally {
    await Promise.all([uac.close(), uas.close()]);
  }
});
