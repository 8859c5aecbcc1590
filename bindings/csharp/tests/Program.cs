using System;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;

namespace Esales.Notify.Tests
{
    /// <summary>
    /// Runs every public method of the classes whose names end in Tests, each in a separate process, because the log,
    /// the connections and the queues belong to the process. The first argument is a filter: only tests whose names
    /// contain it run. With "one" and a test's name it is such a process, with "child" a helper process of a test.
    /// </summary>
    internal static class Program
    {
        private static int Main(string[] arguments)
        {
            if (arguments.Length > 0 && arguments[0] == "child")
            {
                return Child.Run(arguments.Skip(1).ToArray());
            }
            if (arguments.Length == 2 && arguments[0] == "one")
            {
                return RunHere(arguments[1]);
            }
            string filter = arguments.Length > 0 ? arguments[0] : "";
            foreach (string variable in new[]
                { "ESALES_NOTIFY_LIBRARY", "ESALES_NOTIFY_COMMAND", "ESALES_TEST_ROOT", "ESALES_TEST_RUN" })
            {
                if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable(variable)))
                {
                    Console.WriteLine(
                        "The environment variable " + variable + " is missing. ESALES_NOTIFY_LIBRARY names the built "
                        + "library, ESALES_NOTIFY_COMMAND the command esales-notify; test.sh sets the others.");
                    return 1;
                }
            }

            int passed = 0;
            int failed = 0;
            foreach (MethodInfo test in Tests(filter))
            {
                string name = test.DeclaringType.Name + "." + test.Name;
                Ended ended = Processes.Run(
                    Processes.BuildFolder, new Dictionary<string, string>(), "tests.exe", "one", name);
                if (ended.Code == 0)
                {
                    Console.WriteLine("ok      " + name);
                    passed++;
                }
                else
                {
                    Console.WriteLine(
                        "FAILED  " + name + ": exit code " + ended.Code + "\n" + ended.Output + "\n" + ended.Errors);
                    failed++;
                }
            }
            if (passed + failed == 0)
            {
                Console.WriteLine("no test has a name that contains " + filter);
                failed = 1;
            }
            Console.WriteLine(passed + " passed, " + failed + " failed");
            return failed == 0 ? 0 : 1;
        }

        private static int RunHere(string name)
        {
            MethodInfo test = Tests(name).Single(method => method.DeclaringType.Name + "." + method.Name == name);
            try
            {
                test.Invoke(null, null);
                return 0;
            }
            catch (TargetInvocationException e)
            {
                Console.WriteLine(e.InnerException);
                return 1;
            }
        }

        private static IEnumerable<MethodInfo> Tests(string filter)
        {
            return from type in typeof(Program).Assembly.GetTypes()
                   where type.Name.EndsWith("Tests", StringComparison.Ordinal)
                   orderby type.Name
                   from method in type.GetMethods(BindingFlags.Public | BindingFlags.Static)
                   where (type.Name + "." + method.Name).IndexOf(filter, StringComparison.OrdinalIgnoreCase) >= 0
                   select method;
        }
    }
}
