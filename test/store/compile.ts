import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "typescript";

const ROOT = join(import.meta.dirname, "../..");

/**
 * Makes the named folders of src/ into JavaScript below `target`, for tests that need a process of their own
 * (to kill it). Types are not checked here. @returns the directory that stands for src/
 */
export function compileSource(target: string, folders: readonly string[]): string {
  for (const folder of folders) {
    const files = readdirSync(join(ROOT, "src", folder), { recursive: true, encoding: "utf8" });
    for (const name of files.filter((file) => file.endsWith(".ts"))) {
      const { outputText } = ts.transpileModule(readFileSync(join(ROOT, "src", folder, name), "utf8"), {
        compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true },
      });
      const file = join(target, "dist", folder, name.replace(/\.ts$/, ".js"));
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, outputText);
    }
  }
  symlinkSync(join(ROOT, "node_modules"), join(target, "node_modules"));
  symlinkSync(join(ROOT, "package.json"), join(target, "package.json"));
  return join(target, "dist");
}
