import type { Artifact } from '#client';
import { cleanLine, formatBytes } from './format.js';
import { renderTable } from './table.js';
import type { Colors } from './terminal.js';

/** Artifacts of any jobs, by what they are and by the id that names this version. */
export function versionTable(artifacts: Artifact[], width: number, colors: Colors): string[] {
  return renderTable(
    artifacts,
    [
      { title: 'KEY', value: (artifact) => cleanLine(artifact.logicalKey), shrinks: true },
      { title: 'KIND', value: (artifact) => artifact.kind },
      { title: 'VERSION', value: (artifact) => String(artifact.version), align: 'right' },
      { title: 'SIZE', value: (artifact) => formatBytes(artifact.sizeBytes), align: 'right' },
      { title: 'ID', value: (artifact) => artifact.id, paint: colors.cyan },
    ],
    width,
    colors.dim,
  );
}
