/** Errors as lines for a person. */
import { ConfigError, SluiceError } from "../model/errors.js";

/** One line, or one line for each problem of a configuration file; each ended. Never a stack. */
export function describeError(error: unknown): string {
  if (error instanceof ConfigError) return `${error.message}\n`;
  if (error instanceof SluiceError) {
    const remedy = error.remedy === undefined ? "" : `; ${error.remedy}`;
    return `sluice: ${oneLine(`${error.message}${remedy}`)}\n`;
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return `sluice: defect: ${oneLine(message)}; please report it, with the role's log\n`;
}

const oneLine = (text: string): string => text.replace(/\s*\n\s*/g, " ");
