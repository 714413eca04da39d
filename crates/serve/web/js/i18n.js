// What the page says, in English and Chinese.

const WORDS = {
  en: {
    skip: 'Skip to the message box', conversations: 'Conversations', newChat: 'New chat', search: 'Search conversations',
    settings: 'Settings', watch: 'Training run', help: 'Keyboard shortcuts', toggleList: 'Show or hide the conversations', model: 'Model', persona: 'Persona',
    noPersona: 'No persona', ownPersona: 'This chat’s own', theme: 'Theme', themeSystem: 'Same as system', themeLight: 'Light', themeDark: 'Dark',
    export: 'Export this conversation', welcome: 'What shall we talk about?', messages: 'Messages', ask: 'Ask anything',
    message: 'Message', send: 'Send', stop: 'Stop', note: 'The model can be wrong.', close: 'Close', language: 'Language',
    sampling: 'Sampling', temperature: 'Temperature', top_p: 'Top p', top_k: 'Top k', min_p: 'Min p', max_tokens: 'Maximum reply (tokens)', seed: 'Seed',
    byModel: '{0} (model)', off: 'off', random: 'random', asFits: 'as fits', personas: 'Personas', personasHint: 'Personas are named system prompts. They stay in this browser.',
    addPersona: 'Add a persona', personaName: 'Name', personaText: 'System prompt', import: 'Import a conversation…', signOut: 'Forget the API key',
    cancel: 'Cancel', rename: 'Rename', delete: 'Delete', save: 'Save', deleteSure: 'Delete this conversation?', deleteText: '“{0}” is deleted with its messages and ratings.', deletePersona: 'Delete this persona?',
    renameTitle: 'Rename the conversation', untitled: 'New chat', edit: 'Edit', editing: 'You are editing an earlier message.', copy: 'Copy', copyCode: 'Copy the code', table: 'Table', again: 'Generate again',
    good: 'Good reply', bad: 'Bad reply', better: 'Give a better answer', betterTitle: 'A better answer', betterText: 'What should the reply have been? Training can learn from it.',
    previous: 'Previous version', next: 'Next version', you: 'You said', assistant: 'The model said', cut: 'Stopped.', cutLength: 'Cut off: the maximum length was reached.',
    interrupted: 'Interrupted: the server stopped.', failed: 'An error ended this reply.', thinking: 'The model is writing.', done: 'Reply finished:', speed: '{0} tokens/s', context: '{0} of {1} tokens of context',
    contextOnly: '{0} tokens of context', leftOut: 'The model no longer reads the first {0} exchanges.', leftOutOne: 'The model no longer reads the first exchange.', suggestions: 'Suggestions', keyTitle: 'API key', keyText: 'This server asks for an API key.', keyWrong: 'The server refused this key.', keyNeeded: 'Conversations on this server need an API key. Sign in to go on.', signIn: 'Sign in', none: 'No conversation yet', noneFound: 'Nothing found',
    offline: 'The server does not answer.', more: 'More', today: 'Today', yesterday: 'Yesterday', earlier: 'Earlier', imported: 'Imported.', busy: 'Wait for the reply to end, or stop it.', badFile: 'This file is not JSON.',
    tooLong: 'At most {0} characters; this has {1}.', from: 'Not used: give a number from {0} to {1}.', wholeFrom: 'Not used: give a whole number from {0} to {1}.',
    kSend: 'Send the message', kLine: 'New line', kStop: 'Stop the reply', kNew: 'New chat', kSearch: 'Search', kSidebar: 'Show or hide the conversations', kFocus: 'Focus the message box', kHelp: 'This list', kEdit: 'Edit your last message', kCopy: 'Copy the last reply',
  },
  zh: {
    skip: '跳到输入框', conversations: '对话', newChat: '新对话', search: '搜索对话', settings: '设置', watch: '训练进度', help: '键盘快捷键', toggleList: '显示或隐藏对话列表',
    model: '模型', persona: '角色', noPersona: '无角色', ownPersona: '此对话自带', theme: '主题', themeSystem: '跟随系统', themeLight: '浅色', themeDark: '深色',
    export: '导出此对话', welcome: '想聊点什么？', messages: '消息', ask: '请输入', message: '消息', send: '发送', stop: '停止', note: '模型可能出错。', close: '关闭',
    language: '语言', sampling: '采样', temperature: '温度', top_p: 'Top p', top_k: 'Top k', min_p: 'Min p', max_tokens: '回复最长词元数', seed: '随机种子', byModel: '{0}（模型）', off: '关', random: '随机', asFits: '视上下文而定',
    personas: '角色', personasHint: '角色是有名字的系统提示词，保存在此浏览器中。', addPersona: '添加角色', personaName: '名称', personaText: '系统提示词',
    import: '导入对话…', signOut: '忘记 API 密钥', cancel: '取消', rename: '重命名', delete: '删除', save: '保存', deleteSure: '删除这个对话？', deleteText: '“{0}”将连同其中的消息和评价一起删除。', deletePersona: '删除这个角色？',
    renameTitle: '重命名对话', untitled: '新对话', edit: '编辑', editing: '正在编辑之前的消息。', copy: '复制', copyCode: '复制代码', table: '表格', again: '重新生成', good: '好的回复', bad: '不好的回复', better: '给出更好的回答',
    betterTitle: '更好的回答', betterText: '回复本应是什么？训练可以从中学习。', previous: '上一版本', next: '下一版本', you: '你说', assistant: '模型说', cut: '已停止。', cutLength: '已达到回复长度上限。',
    interrupted: '已中断：服务器停止了。', failed: '回复因错误而结束。', thinking: '模型正在输入。', done: '回复完成：', speed: '{0} 词元/秒', context: '上下文 {0} / {1} 词元', contextOnly: '上下文 {0} 词元', leftOut: '模型不再读取最早的 {0} 轮对话。', leftOutOne: '模型不再读取最早的一轮对话。', suggestions: '建议',
    keyTitle: 'API 密钥', keyText: '此服务器需要 API 密钥。', keyWrong: '服务器拒绝了这个密钥。', keyNeeded: '此服务器上的对话需要 API 密钥。请登录后继续。', signIn: '登录', none: '还没有对话', noneFound: '没有找到', offline: '服务器没有响应。', more: '更多', today: '今天', yesterday: '昨天', earlier: '更早', imported: '已导入。', busy: '请等待回复结束，或先停止它。', badFile: '此文件不是 JSON。',
    tooLong: '最多 {0} 个字符；现有 {1} 个。', from: '未使用：请输入 {0} 到 {1} 之间的数。', wholeFrom: '未使用：请输入 {0} 到 {1} 之间的整数。',
    kSend: '发送消息', kLine: '换行', kStop: '停止回复', kNew: '新对话', kSearch: '搜索', kSidebar: '显示或隐藏对话列表', kFocus: '回到输入框', kHelp: '此列表', kEdit: '编辑上一条消息', kCopy: '复制最后的回复',
  },
};

let language = 'en';

/** The words of a key, with {0}, {1} filled in. */
export function t(key, ...values) {
  const words = WORDS[language][key] ?? WORDS.en[key] ?? key;
  return words.replace(/\{(\d)\}/g, (_, index) => values[index]);
}

/** The language of the words. */
export const currentLanguage = () => language;

/** Sets the language, and puts its words on everything that names them in the document. */
export function speak(wanted) {
  language = wanted in WORDS ? wanted : 'en';
  document.documentElement.lang = language === 'zh' ? 'zh-Hans' : 'en';
  for (const element of document.querySelectorAll('[data-i18n]')) element.textContent = t(element.dataset.i18n);
  for (const element of document.querySelectorAll('[data-i18n-placeholder]')) element.placeholder = t(element.dataset.i18nPlaceholder);
  for (const element of document.querySelectorAll('[data-i18n-label]')) {
    element.setAttribute('aria-label', t(element.dataset.i18nLabel));
    if (element.matches('button')) element.title = t(element.dataset.i18nLabel);
  }
}
