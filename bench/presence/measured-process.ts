/** Parts of a benchmark that are processes of their own, so that their processor time is theirs alone. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";

/** What such a process tells, over IPC. */
interface Told {
  /** When it listens. */
  readonly port?: number;
  /** Whenever it is asked. */
  readonly spent?: Spent;
}

export interface Spent {
  /** Microseconds of the processor, of user and system. */
  readonly processor: number;
  /** What it has counted so far. */
  readonly counts: Readonly<Record<string, number>>;
}

/** To be called in that process, once it listens. It ends with the benchmark. */
export function tellOf(port: number, counts: () => Spent["counts"] = () => ({})): void {
  process.on("disconnect", () => process.exit());
  process.send?.({ port } satisfies Told);
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ spent: { processor: user + system, counts: counts() } } satisfies Told);
  });
}

/** As it was given to `MeasuredProcess.start`. */
export const readSetting = <Setting>(): Setting => JSON.parse(process.argv[2] ?? "") as Setting;

export class MeasuredProcess {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  /** Resolves when it listens. */
  static async start(program: URL, setting: object): Promise<MeasuredProcess> {
    const child = fork(fileURLToPath(program), [JSON.stringify(setting)]);
    const { port = 0 } = await told(child);
    return new MeasuredProcess(child, port);
  }

  async spent(): Promise<Spent> {
    const answer = told(this.#child);
    this.#child.send("spent");
    return (await answer).spent ?? { processor: Number.NaN, counts: {} };
  }

  end(): void {
    this.#child.kill();
  }
}

const told = (child: ChildProcess): Promise<Told> =>
  new Promise((resolve, reject) => {
    const ended = (): void => reject(new Error(`${child.spawnargs[1]} ended`));
    child.once("exit", ended);
    child.once("message", (value) => {
      child.off("exit", ended);
      resolve(value as Told);
    });
  });
