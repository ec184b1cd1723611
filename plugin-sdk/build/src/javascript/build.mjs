// Bundles a constraint or a rewriter with the SDK, and makes a component of it. The one argument is JSON: see `javascript.rs`.

import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const { toolchain, project, module, exports, needs, contract, wit, out } = JSON.parse(process.argv[2]);
const require = createRequire(join(toolchain, 'package.json'));
const { build } = require('esbuild');
const { componentize } = await import(pathToFileURL(require.resolve('componentize-qjs')).href);

const fail = (text) => {
  console.error(text);
  process.exit(1);
};

const interfaces = ['report', 'log', ...needs];
const entry = [
  `import rule from ${JSON.stringify(module)};`,
  `import { serve } from 'scruple-sdk/component';`,
  ...interfaces.map((name) => `import * as ${name} from '${contract.replace('{}', name)}';`),
  `export const { about, ${exports.join(', ')} } = serve(rule, { ${interfaces.join(', ')} }, ${JSON.stringify(exports)});`,
].join('\n');

const bundled = await build({
  stdin: { contents: entry, resolveDir: project, sourcefile: 'entry.js' },
  bundle: true,
  format: 'esm',
  target: 'es2022',
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  external: ['scruple:*'],
  absWorkingDir: project,
  write: false,
  logLevel: 'error',
}).catch(() => fail(''));

// Of what goes wrong while the file is run, the engine says only that it did. Here it says what.
const { component } = await componentize({
  witPath: wit,
  world: 'plugin',
  jsSource: bundled.outputFiles[0].text,
  stubWasi: true,
  optSize: true,
  sync: true,
}).catch((error) => fail(error.message));
await writeFile(out, component);
