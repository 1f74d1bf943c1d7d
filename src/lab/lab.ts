/** The namespace lab as the demo and the tests drive it: a thin skin over scripts/netns-lab.sh and the control sockets. */
import { join } from "node:path";
import { execa } from "execa";
import { SystemError } from "../model/errors.js";
import { controlRequest } from "./control-request.js";

export interface LabOptions {
  readonly prefix: string;
  /** Of this package: where scripts/ and dist/ are. */
  readonly root: string;
  readonly signal?: AbortSignal;
}

/** What `netns-lab.sh call -o json` prints. */
export interface CallOutcome {
  readonly ok: boolean;
  /** Of the INVITE's final answer; 0 if none came. */
  readonly status: number;
  readonly phrase: string;
  readonly warning: string;
  readonly retryAfter: string;
  readonly session: string;
  readonly callId: string;
  readonly callerExit: number;
  readonly calleeExit: number | null;
  /** Directory of the two SIPp processes' logs. */
  readonly logs: string;
}

export interface Lab {
  /** Directory of state, sockets and logs. */
  readonly directory: string;
  readonly prefix: string;
  up(args?: readonly string[]): Promise<void>;
  down(): Promise<void>;
  /** Stdout of a command that runs on a host. @throws ExecaError if it fails */
  exec(host: string, command: readonly string[]): Promise<string>;
  /** Starts a command on a host; it ends with `kill`, or with the lab. */
  spawn(host: string, command: readonly string[]): Background;
  call(args: readonly string[]): Promise<CallOutcome>;
  /**
   * What one role answers to `sluice show`, `explain` and the like, as a list.
   * @param route - such as `/v1/show/policies`
   */
  ask(role: string, route: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
}

/** A command that runs beside us. */
export interface Background {
  /** Resolves when stderr has said `text`. @throws SystemError if the command ends before */
  said(text: string): Promise<void>;
  /** Ends it by SIGINT, so that it writes what it holds. */
  stop(): Promise<void>;
}

export function openLab({ prefix, root, signal }: LabOptions): Lab {
  const directory = join("/run/sluice-lab", prefix);
  const script = (args: readonly string[]): string[] => [
    join(root, "scripts/netns-lab.sh"),
    "--prefix",
    prefix,
    ...args,
  ];
  const cancel = signal === undefined ? {} : { cancelSignal: signal };
  return {
    directory,
    prefix,
    up: async (args = []) => {
      await execa("bash", script(["up", ...args]), { ...cancel, stdout: "ignore", stderr: ["pipe", "inherit"] });
    },
    // Never cancelled: it is what has to be done when everything else was.
    down: async () => {
      await execa("bash", script(["down"]), { stdout: "ignore" });
    },
    exec: async (host, command) =>
      (
        await execa("ip", ["netns", "exec", `${prefix}-${host}`, ...command], {
          ...cancel,
          maxBuffer: 64 * 1024 * 1024,
        })
      ).stdout,
    spawn: (host, command) => background(["netns", "exec", `${prefix}-${host}`, ...command]),
    call: async (args) => {
      const { stdout, stderr } = await execa("bash", script(["call", "-o", "json", ...args]), {
        ...cancel,
        reject: false,
      });
      if (!stdout.startsWith("{")) throw new SystemError("LAB_CALL", `the call did not take place: ${stderr.trim()}`);
      return JSON.parse(stdout) as CallOutcome;
    },
    ask: async (role, route) => {
      const value = await controlRequest(join(directory, "run", `${role}.sock`), route);
      return (Array.isArray(value) ? value : [value]) as readonly Readonly<Record<string, unknown>>[];
    },
  };
}

function background(args: readonly string[]): Background {
  const child = execa("ip", args, { reject: false, stdin: "ignore", stdout: "ignore", buffer: false });
  let heard = "";
  const listeners = new Set<() => void>();
  child.stderr.on("data", (chunk: Buffer) => {
    heard = (heard + chunk.toString()).slice(-4096);
    for (const listener of listeners) listener();
  });
  return {
    said: (text) =>
      new Promise((resolve, reject) => {
        const listener = (): void => {
          if (heard.includes(text)) resolve();
        };
        listeners.add(listener);
        listener();
        child
          .finally(() => reject(new SystemError("LAB_COMMAND", `ip ${args.join(" ")}: ${heard.trim()}`)))
          .catch(() => undefined);
      }),
    stop: async () => {
      child.kill("SIGINT");
      const end = setTimeout(() => child.kill("SIGKILL"), 3000);
      await child;
      clearTimeout(end);
    },
  };
}
