/** Labs are heavy: no more than five are up on a machine at a time, whatever the number of test workers. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "./until.js";

const SLOTS = 5;
const PATIENCE_MS = 280_000;

const directoryOf = (slot: number): string => join(tmpdir(), `sluice-lab-slot-${slot}`);

/** Resolves with what gives the slots back. Whoever needs both takes them in order, so two cannot wait for each other. */
export async function takeSlots(count: 1 | 2): Promise<() => void> {
  const taken: number[] = [];
  const release = (): void => {
    for (const slot of taken.splice(0)) rmSync(directoryOf(slot), { recursive: true, force: true });
  };
  await until(
    `${count} of ${SLOTS} lab slots`,
    () => {
      for (let slot = 0; slot < SLOTS && taken.length < count; slot++) {
        if (!taken.includes(slot) && (count === 1 || slot === taken.length) && take(slot)) taken.push(slot);
      }
      return taken.length === count;
    },
    { within: PATIENCE_MS, every: 200 },
  ).catch((error: unknown) => {
    release();
    throw error;
  });
  return release;
}

function take(slot: number): boolean {
  const directory = directoryOf(slot);
  try {
    mkdirSync(directory);
    writeFileSync(join(directory, "pid"), String(process.pid));
    return true;
  } catch {
    // A run that was killed has left its slot behind: it is free again.
    if (!isHeld(directory)) rmSync(directory, { recursive: true, force: true });
    return false;
  }
}

function isHeld(directory: string): boolean {
  try {
    const pid = Number(readFileSync(join(directory, "pid"), "utf8"));
    if (pid > 0) process.kill(pid, 0);
    return true;
  } catch (error) {
    // Not written yet counts as held.
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}
