import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Carries out transactions with Apache Kafka's own client, one step a line: "begin P", "send P TOPIC PARTITION VALUE",
 * "commit P", "abort P", where P names a producer. Ends at once after the last line: what is open stays open.
 * Arguments: bootstrap servers.
 */
public final class Transact {
  private Transact() {}

  public static void main(String[] arguments) throws Exception {
    Map<String, KafkaProducer<String, String>> producers = new HashMap<>();
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] step = line.split(" ", 5);
      KafkaProducer<String, String> producer =
          producers.computeIfAbsent(step[1], name -> open(arguments[0], name));
      switch (step[0]) {
        case "begin" -> producer.beginTransaction();
        case "send" ->
            producer.send(new ProducerRecord<>(step[2], Integer.parseInt(step[3]), null, step[4])).get();
        case "commit" -> producer.commitTransaction();
        case "abort" -> producer.abortTransaction();
        default -> throw new IllegalArgumentException(line);
      }
    }
    Runtime.getRuntime().halt(0);
  }

  private static KafkaProducer<String, String> open(String servers, String name) {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", servers);
    properties.put("transactional.id", name);
    properties.put("linger.ms", "0");
    KafkaProducer<String, String> producer =
        new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer());
    producer.initTransactions();
    return producer;
  }
}
