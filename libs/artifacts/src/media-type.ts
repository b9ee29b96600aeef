import mime from 'mime';

/** Types that are text though their name does not say so. */
const TEXTUAL = /^(application\/(json|xml|javascript|yaml|toml|sql|x-sh)|.*\+(json|xml|yaml))$/;

/** The media type of a file by its name, text in UTF-8; `application/octet-stream` when the name says nothing. */
export function mediaTypeOf(path: string): string {
  const type = mime.getType(path) ?? 'application/octet-stream';
  return type.startsWith('text/') || TEXTUAL.test(type) ? `${type}; charset=utf-8` : type;
}
