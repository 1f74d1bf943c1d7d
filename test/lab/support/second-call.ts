/** A call beside another's, between agents at ports of their own, that its parties may leave to others to end. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import type { IpAddress } from "../../../src/model/ip.js";
import { sessionIdOf } from "../../../src/model/session.js";
import type { Edits } from "./configs.js";
import { IPV4 } from "./pcaps.js";
import { ROOT } from "./root.js";
import type { TestLab } from "./test-lab.js";
import { until } from "./until.js";

const SIP_PORT = 5062;
export const SECOND_MEDIA_PORT = 7000;
const CALLEE = "dave";
/** G.711. */
const SAMPLES_PER_SECOND = 8000;

/** Makes the callee known at its proxy. */
export const SECOND_CALLEE: Edits = {
  sip2: [[["sip", "users", CALLEE], `sip:10.3.0.10:${SIP_PORT}`]],
};

export interface SecondCall {
  readonly session: string;
  readonly callId: string;
  /** Resolves when both agents got the BYE that they wait for. */
  readonly over: Promise<void>;
}

export interface SecondCallOptions {
  /** The callee's scenario: `uas` leaves the hanging up to others, `uas-bye` hangs up after the media. */
  readonly callee?: "uas" | "uas-bye";
  /** Length of the media, in seconds. */
  readonly seconds?: number;
  readonly addresses?: { readonly uac: IpAddress; readonly uas: IpAddress };
}

/** From carl@a.example to dave@b.example. */
export async function secondCall(lab: TestLab, options: SecondCallOptions = {}): Promise<SecondCall> {
  const { callee: behaviour = "uas", seconds = 20, addresses = IPV4 } = options;
  const work = mkdtempSync(join(tmpdir(), `sluice-${lab.prefix}-second-`));
  writeFileSync(join(work, "media.ulaw"), Buffer.alloc(seconds * SAMPLES_PER_SECOND, 0xd5));
  const callId = `${randomBytes(8).toString("hex")}@second`;
  const fromTag = randomBytes(4).toString("hex");
  const agent = (host: "uac" | "uas", scenario: string, address: string, ...target: readonly string[]) => {
    const text = [
      ...["-sf", join(ROOT, `scripts/lab/sipp/${scenario}.xml`), ...target, "-i", address, "-mi", addresses[host]],
      ...["-p", String(SIP_PORT), "-mp", String(SECOND_MEDIA_PORT), "-m", "1", "-timeout", "25s", "-timeout_error"],
      ...[
        "-d",
        String(seconds * 1000 + 400),
        "-nostdin",
        "-s",
        CALLEE,
        "-key",
        "caller",
        "carl",
        "-key",
        "caller_domain",
        "a.example",
      ],
      ...["-key", "callee_domain", "b.example", "-key", "from_tag", fromTag, "-cid_str", callId],
      ...["-default_behaviors", "none"],
    ];
    return execa("ip", ["netns", "exec", `${lab.prefix}-${host}`, "sipp", ...text], { cwd: work, stdin: "ignore" });
  };
  const callee = agent("uas", behaviour, "10.3.0.10");
  await until("the callee to listen", async () =>
    (await lab.lab.exec("uas", ["ss", "-Hlun"])).includes(`:${SIP_PORT}`),
  );
  const caller = agent("uac", "uac-waits-for-bye", "10.1.0.10", "10.1.0.5:5060");
  const over = Promise.all([callee, caller])
    .then(() => undefined)
    .finally(() => rmSync(work, { recursive: true, force: true }));
  // Looked at when the test asks for it.
  over.catch(() => undefined);
  return { session: sessionIdOf(callId, fromTag), callId, over };
}
