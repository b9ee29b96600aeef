import { DEFINITION_LIMITS } from './definition-limits.js';
import { splitTemplate } from '../expressions/template.js';

/**
 * Why a glob of an ARTIFACT step cannot be used, or null: it must be relative, without `..` segments (also in braces),
 * backslashes and NUL. Expressions count as a harmless name: check again what they give, and follow no symlink out of the workdir.
 */
export function artifactPathProblem(path: string): string | null {
  if (path.length === 0 || path.length > DEFINITION_LIMITS.pathLength)
    return `must have 1 to ${DEFINITION_LIMITS.pathLength} characters`;
  const { parts } = splitTemplate(path);
  const glob = parts.map((part) => ('text' in part ? part.text : 'x')).join('');
  if (glob.trim() === '') return 'must not be blank';
  if (glob.includes('\0')) return 'must not hold a NUL character';
  if (glob.includes('\\')) return 'must not hold a backslash; separate folders by /';
  if (/^[!{(]*\//.test(glob) || /^[A-Za-z]:/.test(glob)) return 'must be relative to the workdir, not absolute';
  if (/(?:^|[/{,(|!])\.\.(?:$|[/},)|])/.test(glob)) return 'must not leave the workdir with ..';
  return null;
}
