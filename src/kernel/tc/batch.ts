/** Commands handed to `tc`. */
import { KernelError } from "../../model/errors.js";
import { runTool } from "../tool.js";

/** As `tc -batch` reads it. */
export const batchText = (commands: readonly string[]): string => commands.map((command) => `${command}\n`).join("");

/** One process for all; it stops at the first that fails. @throws KernelError that names the command. */
export async function runBatch(commands: readonly string[]): Promise<void> {
  if (commands.length === 0) return;
  try {
    await runTool("tc", ["-batch", "-"], batchText(commands));
  } catch (error) {
    throw error instanceof KernelError ? nameCommand(error, commands) : error;
  }
}

/**
 * Each by itself: a device that was renamed away may have a name in which a batch would see a comment or a quotation mark,
 * and so another device.
 */
export async function runEach(commands: readonly string[]): Promise<void> {
  for (const command of commands) await runTool("tc", command.split(" "));
}

/** tc names the line that failed; the reader wants the command. */
function nameCommand(error: KernelError, commands: readonly string[]): KernelError {
  const line = /Command failed -:(\d+)/.exec(String(error.cause ?? error.detail.stderr ?? ""))?.[1];
  const command = line === undefined ? commands.join("; ") : commands[Number(line) - 1];
  const detail = { ...error.detail, operation: `tc ${command}` };
  return new KernelError(error.code, `tc ${command}: ${error.detail.stderr ?? "failed"}`, detail, {
    cause: error,
    ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
  });
}
