/** Calls of tools as text that a shell takes. */
import type { StepView } from "../control/views.js";

/** Nothing that a shell would read otherwise than as itself. */
const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;

const quoted = (word: string): string => (PLAIN.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** As one can paste them: `tool args <<'EOF' … EOF`. */
export function renderSteps(steps: readonly StepView[]): string {
  return steps
    .map(({ tool, args, input }) => {
      // The system call has no tool: a shell passes over it.
      if (tool === "bpf")
        return linesOf(input)
          .map((line) => `# bpf(2): ${line}\n`)
          .join("");
      const command = [tool, ...args].map(quoted).join(" ");
      if (input === "") return `${command}\n`;
      const end = endFor(input);
      return `${command} <<'${end}'\n${input}${input.endsWith("\n") ? "" : "\n"}${end}\n`;
    })
    .join("");
}

const linesOf = (input: string): readonly string[] => input.split("\n").filter((line) => line.trim() !== "");

function endFor(input: string): string {
  const lines = new Set(input.split("\n"));
  let end = "EOF";
  while (lines.has(end)) end += "_";
  return end;
}

/** One line for each thing that is done, for people. */
export const stepLines = (steps: readonly StepView[]): readonly string[] =>
  steps.flatMap(({ tool, args, input }) => {
    const lines = linesOf(input);
    return lines.length === 0 ? [[tool, ...args].join(" ")] : lines.map((line) => `${tool} ${line.trim()}`);
  });
